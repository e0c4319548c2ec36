"""docs/api.md tells every route, and docs/openapi.json is what the application says of itself."""

import re
from pathlib import Path
from typing import Final

from controlplane.api.application import bare_application
from controlplane.api.openapi import document

DOCS: Final = Path(__file__).parents[2] / "docs"
_TOLD: Final = re.compile(r"`([A-Z]+) (/\S*)`")


def test_every_route_is_told() -> None:
    """Each method of each path has a heading, and no heading tells of what is not there."""
    headings = [line for line in (DOCS / "api.md").read_text().splitlines() if line[:4] == "### "]
    told = {match for line in headings for match in _TOLD.findall(line)}
    there = {
        (method.upper(), path)
        for path, operations in bare_application().openapi()["paths"].items()
        for method in operations
    }
    assert told == there


def test_every_heading_has_an_example() -> None:
    """What is told can be tried at once."""
    parts = (DOCS / "api.md").read_text().split("\n### ")[1:]
    assert [part.splitlines()[0] for part in parts if "```" not in part] == []


def test_the_document_is_current() -> None:
    """After a change of the API: `make openapi`."""
    assert (DOCS / "openapi.json").read_text() == document()
