"""`controlplane autoscale replay POLICY`: what it would have done, beside what happened."""

import argparse
from typing import Any

from controlplane.cli.asking import add_url, get

_MOST_CHANGES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("policy", metavar="POLICY", help="a policy of `autoscaling`")
    parser.add_argument("--since", default="1d", help="how far back, such as 12h or 7d (1d)")
    parser.add_argument("--against", metavar="POLICY", help="another policy to compare it with")
    parser.add_argument("--changes", action="store_true", help="list each change of the number")
    add_url(parser)


def run(args: argparse.Namespace) -> int:
    """Print a table. Raises NotFound, InvalidInput, Unavailable."""
    given = {"since": args.since, **({"against": args.against} if args.against else {})}
    replays = get(args.url, f"/api/v1/autoscaling/{args.policy}/replay", **given)["replays"]
    first = replays[0]
    print(f"{first['start']} to {first['end']}, a step each {first['step']}")
    for row in _table(_tracks(replays)):
        print(row)
    if args.changes:
        for name, track in _tracks(replays):
            for line in _changes(name, track):
                print(line)
    return 0


def _tracks(replays: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return what is compared: what happened, once, and what each policy would have done."""
    happened = [each["actual"] for each in replays if each["actual"] is not None]
    tracks = [("(what happened)", happened[0])] if happened else []
    return [*tracks, *((each["policy"], each["would"]) for each in replays)]


def _table(tracks: list[tuple[str, dict[str, Any]]]) -> list[str]:
    heads = ("", "replica-hours", "over threshold", "not known", "least", "most", "changes")
    keys = ("replica_hours", "over_threshold", "unknown", "least", "most", "changes")
    rows = [heads, *((name, *(str(track[key]) for key in keys)) for name, track in tracks)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _changes(name: str, track: dict[str, Any]) -> list[str]:
    changes = track["replicas"]
    lines = [f"{each['at']}  {each['replicas']}" for each in changes[:_MOST_CHANGES]]
    left = len(changes) - len(lines)
    return ["", name, *lines, *([f"and {left} more"] if left else [])]
