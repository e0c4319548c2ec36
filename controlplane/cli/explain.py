"""`controlplane explain`: why somebody was told of an alert, or was not, a line for each reason."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, Final

from controlplane.cli.asking import add_url, get
from controlplane.errors import InvalidInput, NotFound
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")
# Alerts explained at once; more of them should be told apart by another label.
_MOST: Final = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "about",
        nargs="+",
        metavar="FINGERPRINT|LABEL=VALUE",
        help="the alert's fingerprint, or labels that it has",
    )
    add_url(parser)


def run(args: argparse.Namespace) -> int:
    """Print the story of each alert meant. Raises InvalidInput, NotFound, Unavailable."""
    for number, fingerprint in enumerate(_fingerprints(args.url, args.about)):
        if number:
            print()
        story = get(args.url, f"/api/v1/alerts/{fingerprint}/story")
        for line in _lines(fingerprint, story):
            print(line)
    return 0


def _fingerprints(url: str, about: Sequence[str]) -> list[str]:
    """Return the alerts that are meant, by their fingerprints."""
    if len(about) == 1 and _FINGERPRINT.fullmatch(about[0]):
        return [about[0]]
    selector = "{" + ",".join(map(_matcher, about)) + "}"
    page = get(url, "/api/v1/alerts", **{"match[]": selector, "limit": _MOST})
    found = [str(item["fingerprint"]) for item in page["items"]]
    if not found:
        raise NotFound(f"there is no alert {selector}")
    if page["next_cursor"]:
        raise InvalidInput(f"more than {_MOST} alerts are {selector}: name more labels")
    return found


def _matcher(given: str) -> str:
    name, equals, value = given.partition("=")
    if not name or not equals:
        raise InvalidInput(f"{given!r} is neither a fingerprint nor LABEL=VALUE")
    return str(Matcher(name, MatchOp.EQUAL, value))


def _lines(fingerprint: str, story: dict[str, Any]) -> list[str]:
    alert = story["alert"]
    labels = "" if alert is None else f" {Labels(alert['labels'])} {alert['state']}"
    return [
        f"{fingerprint}{labels}",
        *(f"{each['at']}  {each['what']}: {each['because']}" for each in story["entries"]),
    ]
