"""What is to be done so that a Grafana has what it should: decided without asking anybody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controlplane.grafana.ports import Board, Held, Model

# A Grafana counts and numbers by itself.
_ITS_OWN: Final = frozenset({"id", "version", "iteration"})


class Action(StrEnum):
    """What happens to a dashboard."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "unchanged"
    DELETE = "delete"
    LEAVE = "left alone"
    REFUSE = "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """One dashboard, what is done with it, and why or what differs, in words."""

    action: Action
    uid: str
    title: str
    reasons: Sequence[str] = ()


def decide(wanted: Board, held: Held | None, tag: str) -> Change:
    """Return what is to be done for a dashboard that should be there."""
    if held is None:
        return Change(Action.CREATE, wanted.uid, wanted.title)
    reasons = tuple(_differences(wanted, held.board))
    if not reasons:
        return Change(Action.KEEP, wanted.uid, wanted.title)
    if held.provisioned:
        return Change(Action.LEAVE, wanted.uid, wanted.title, ("Grafana reads it from a file",))
    if tag not in held.board.model.get("tags", ()):
        reason = f"a dashboard with this uid is there that has no tag {tag!r}: it is not ours"
        return Change(Action.REFUSE, wanted.uid, wanted.title, (reason,))
    return Change(Action.UPDATE, wanted.uid, wanted.title, reasons)


def decide_surplus(held: Held) -> Change:
    """Return what is to be done with a dashboard of ours that should not be there."""
    board = held.board
    if held.provisioned:
        return Change(Action.LEAVE, board.uid, board.title, ("Grafana reads it from a file",))
    return Change(Action.DELETE, board.uid, board.title, ("it is no longer wanted",))


def holds(held: object, wanted: object) -> bool:
    """Return whether all that is wanted is there; what a Grafana filled in besides is no matter."""
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return all(key in held and holds(held[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(held, list):
        return len(wanted) == len(held) and all(map(holds, held, wanted))
    return held == wanted


def _differences(wanted: Board, held: Board) -> Iterator[str]:
    if wanted.folder != held.folder:
        yield f"folder: {held.folder or 'none'} -> {wanted.folder}"
    for key in sorted(set(wanted.model) - _ITS_OWN - {"panels"}):
        if not holds(held.model.get(key), wanted.model[key]):
            yield key
    if not holds(held.model.get("panels", []), wanted.model.get("panels", [])):
        yield from _of_panels(_panels(wanted.model), _panels(held.model))


def _of_panels(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"panel + {title}" for title in wanted if title not in held)
    yield from (f"panel - {title}" for title in held if title not in wanted)
    both = [title for title in wanted if title in held]
    yield from (f"panel ~ {title}" for title in both if not holds(held[title], wanted[title]))
    if [title for title in held if title in wanted] != both:
        yield "order of the panels"


def _panels(model: Model) -> dict[str, Any]:
    """Return all panels by their titles, rows and those of folded rows too."""
    every = list(model.get("panels") or ())
    every += [inner for row in every for inner in row.get("panels") or ()]
    return {_name(panel): panel for panel in every}


def _name(panel: Model) -> str:
    kind = "row " if panel.get("type") == "row" else ""
    return f"{kind}{panel.get('title', '')}"
