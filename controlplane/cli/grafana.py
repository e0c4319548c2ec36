"""`controlplane grafana sync`: bring the dashboards of a Grafana to this version's."""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from controlplane.cli.asking import get
from controlplane.clock import SystemClock
from controlplane.errors import InvalidInput, Unavailable
from controlplane.grafana.client import GrafanaClient
from controlplane.grafana.difference import Action, Change
from controlplane.grafana.ports import Board
from controlplane.grafana.sync import Wanted, sync
from controlplane.model.secret import Secret
from dashboards.catalogue import FOLDERS, TEMPLATES, every_sheet
from dashboards.frame import PREFIX, TAG, Sheet

# Of a service's own dashboards.
_OF_SERVICES: Final = tuple(f"{PREFIX}{template}-" for template in TEMPLATES)
_SIGNS: Final = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.KEEP: " ",
    Action.LEAVE: "=",
    Action.REFUSE: "!",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--url", required=True, help="where Grafana is")
    parser.add_argument(
        "--token-file",
        required=True,
        type=Path,
        metavar="FILE",
        help="a file with a token of a service account that has the role Editor",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what differs, and change nothing"
    )
    parser.add_argument(
        "--services",
        metavar="URL",
        help="where controlplane listens: also the dashboards that its targets ask for",
    )


def run(args: argparse.Namespace) -> int:
    """Print what was done with each dashboard; 1 when one was refused.

    Raises InvalidInput, Unauthorized, Forbidden, Unavailable.
    """
    sheets = every_sheet()
    if args.services is not None:
        sheets += _of_services(args.services)
    wanted = _wanted(sheets, with_services=args.services is not None)
    changes = asyncio.run(_sync(args.url, _token(args.token_file), wanted, dry_run=args.dry_run))
    for line in _lines(changes, dry_run=args.dry_run):
        print(line)
    return 1 if any(change.action is Action.REFUSE for change in changes) else 0


async def _sync(url: str, token: Secret, wanted: Wanted, *, dry_run: bool) -> list[Change]:
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"--url {url}: an address begins with http:// or https://")
    try:
        async with httpx.AsyncClient(base_url=url.rstrip("/")) as client:
            return await sync(GrafanaClient(client, token, SystemClock()), wanted, dry_run=dry_run)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"--url {url}: {error}") from None


def _wanted(sheets: Sequence[Sheet], *, with_services: bool) -> Wanted:
    def owns(uid: str) -> bool:
        # Without --services nobody knows which of the services' are still wanted.
        return uid.startswith(PREFIX) and (with_services or not uid.startswith(_OF_SERVICES))

    boards = [Board(sheet.uid, f"{PREFIX}{sheet.folder}", sheet.model()) for sheet in sheets]
    folders = {f"{PREFIX}{folder}": title for folder, title in FOLDERS.items()}
    return Wanted(boards, folders, TAG, owns)


def _of_services(url: str) -> list[Sheet]:
    """Return the dashboards that targets ask for: one for each job and template."""
    asked = {}
    for target in _targets(url):
        template = target.get("dashboard")
        if template in TEMPLATES:
            labels = {**target["labels"], **target["label_overrides"]}
            asked[template, labels.get("job") or target["name"]] = TEMPLATES[template]
    return [make(job) for (_, job), make in sorted(asked.items(), key=lambda each: each[0])]


def _targets(url: str) -> Iterator[Mapping[str, Any]]:
    asked: dict[str, Any] = {"limit": 1000}
    while True:
        page = get(url, "/api/v1/targets", **asked)
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        asked["cursor"] = page["next_cursor"]


def _token(path: Path) -> Secret:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unavailable(f"--token-file: {error.strerror}: {path}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"--token-file: no text: {path}") from None
    if not token or not token.isascii() or not token.isprintable():
        raise InvalidInput(f"--token-file: {path} does not hold a token")
    return Secret(token)


def _lines(changes: Sequence[Change], *, dry_run: bool) -> Iterator[str]:
    for change in changes:
        yield f"{_SIGNS[change.action]} {change.uid:<32} {change.action:<10} {change.title}"
        yield from (f"    {reason}" for reason in change.reasons)
    done = [change.action for change in changes]
    counts = ", ".join(f"{done.count(action)} {action}" for action in Action if action in done)
    yield f"{'would be' if dry_run else 'done'}: {counts}"
