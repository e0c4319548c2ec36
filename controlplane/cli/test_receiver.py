"""`controlplane test receiver`: tell a receiver of a made-up alert, and see whether it arrives."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from controlplane.cli.asking import add_url, post
from controlplane.errors import NotFound


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name", help="the receiver, as the configuration names it")
    add_url(parser)


def run(args: argparse.Namespace) -> int:
    """Print what came of each attempt; 1 unless every integration was told.

    Raises NotFound, InvalidInput, Unavailable.
    """
    answer = post(args.url, f"/api/v1/receivers/{quote(args.name)}/test")
    integrations = answer["integrations"]
    if not integrations:
        raise NotFound(f"the receiver {args.name!r} has no integrations: it tells nobody")
    width = max(len(each["integration"]) for each in integrations)
    for each in integrations:
        place = f"{args.name}/{each['integration']:<{width}}"
        for line in _lines(each):
            print(f"{place}  {line}")
    return 0 if answer["delivered"] else 1


def _lines(each: Mapping[str, Any]) -> Iterator[str]:
    yield f"firing    {_attempt(each['firing'])}"
    if each["resolved"] is not None:
        yield f"resolved  {_attempt(each['resolved'])}"
    if each["resolve_pending"]:
        yield "resolved  is told until it arrives"


def _attempt(attempt: Mapping[str, Any]) -> str:
    code = "-" if attempt["status_code"] is None else attempt["status_code"]
    said = f"{attempt['outcome']:<9}  {code!s:<3}  {attempt['seconds']:.3f} s"
    return (
        said if attempt["reason"] is None else f"{said}  {attempt['reason']}: {attempt['detail']}"
    )
