"""Bring a Grafana's dashboards to what they should be, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.errors import Conflict
from controlplane.grafana.difference import Action, Change, decide, decide_surplus
from controlplane.grafana.ports import Board, Grafana


@dataclass(frozen=True, slots=True)
class Wanted:
    """All dashboards that should be there, and titles of their folders by uid.

    A dashboard there that has `tag` and whose uid `owns` says yes to is ours:
    it goes when it is not among `boards`.
    """

    boards: Sequence[Board]
    folders: Mapping[str, str]
    tag: str
    owns: Callable[[str], bool]


async def sync(grafana: Grafana, wanted: Wanted, *, dry_run: bool = False) -> list[Change]:
    """Return every dashboard with what was done, or with `dry_run` would be.

    A dashboard that somebody changed meanwhile is refused, and the others go on.
    Raises Unauthorized, Forbidden, Unavailable, InvalidInput.
    """
    if not dry_run:
        await _make_folders(grafana, wanted)
    changes = [await _bring(grafana, wanted, board, dry_run=dry_run) for board in wanted.boards]
    named = {board.uid for board in wanted.boards}
    for uid in await grafana.tagged(wanted.tag):
        if wanted.owns(uid) and uid not in named:
            held = await grafana.board(uid)
            if held is not None:
                change = decide_surplus(held)
                if change.action is Action.DELETE and not dry_run:
                    await grafana.delete(uid)
                changes.append(change)
    return changes


async def _make_folders(grafana: Grafana, wanted: Wanted) -> None:
    there = await grafana.folders()
    for uid in dict.fromkeys(board.folder for board in wanted.boards):
        if uid not in there:
            await grafana.make_folder(uid, wanted.folders[uid])


async def _bring(grafana: Grafana, wanted: Wanted, board: Board, *, dry_run: bool) -> Change:
    held = await grafana.board(board.uid)
    change = decide(board, held, wanted.tag)
    if dry_run or change.action not in (Action.CREATE, Action.UPDATE):
        return change
    try:
        await grafana.save(board, None if held is None else held.version)
    except Conflict as error:
        return Change(Action.REFUSE, board.uid, board.title, (str(error),))
    return change
