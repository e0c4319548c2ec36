"""Dashboards as their JSON says: panels, queries and variables, and what Grafana would ask."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dashboards.catalogue import every_sheet
from dashboards.frame import Sheet
from dashboards.service_red import red_of

Json = Mapping[str, Any]

# What Grafana puts in the place of its variables when all are chosen, over ten minutes.
_FILLED: Final = {
    "$__rate_interval": "1m",
    "$__range": "10m",
}


def sheets() -> list[Sheet]:
    """Return every dashboard, and one of the kind that a service asks for."""
    return [*every_sheet(), red_of("shop")]


def decoded(sheet: Sheet) -> dict[str, Any]:
    """Return a dashboard's JSON."""
    made: dict[str, Any] = json.loads(sheet.text())
    return made


def panels(board: Json) -> Iterator[dict[str, Any]]:
    """Iterate over the panels that show something, those of folded rows too."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(board: Json) -> Iterator[tuple[str, str]]:
    """Iterate over the title and the expression of each panel's queries, and of each mark."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for mark in board["annotations"]["list"]:
        yield f"marks of {board['title']}", mark["expr"]


def filled(expr: str) -> str:
    """Return an expression as Grafana sends it when everything is chosen."""
    for name, value in _FILLED.items():
        expr = expr.replace(name, value)
    return re.sub(r"\$\w+", ".+", expr)
