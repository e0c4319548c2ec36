"""docs/configuration.md tells every key and every variable, with its default, and no other."""

import re
from pathlib import Path

import pytest

from controlplane.config.document import every_section
from controlplane.settings.settings import VARIABLES
from tests.architecture.defaults import default_of, default_of_variable

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
_HEADINGS = {"Sections": "the configuration"}
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) ?\| (.+) \|$")


def tables() -> dict[str, dict[str, tuple[str, str]]]:
    """Return the page's tables: default and meaning by key, by heading."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    rows: dict[str, tuple[str, str]] = {}
    for line in TEXT.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
            rows = found.setdefault(_HEADINGS.get(heading, heading), {})
        elif match := _ROW.match(line.replace("\\|", "\0")):
            rows[match[1]] = (match[2].replace("\0", "|"), match[3])
    return found


@pytest.mark.parametrize("name", every_section())
def test_every_key_is_told(name: str) -> None:
    """A section has a table with its keys, their defaults and what they mean."""
    section, table = every_section()[name], tables().get(name, {})
    assert {key: default for key, (default, _) in table.items()} == {
        key: default_of(name, key) for key in section.keys
    }
    assert all(meaning.strip() for _, meaning in table.values())


def test_keys_of_inlined_sections_are_pointed_at() -> None:
    """A section whose keys stand at another's level is named there."""
    for name, section in every_section().items():
        part = TEXT.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        for inlined in section.inlines.values():
            assert f"[{inlined.name}](#{inlined.name})" in part, name


def test_every_variable_is_told() -> None:
    """The environment's table has each variable, its default and its meaning."""
    assert tables()["The environment"] == {
        variable.name: (default_of_variable(variable), variable.meaning) for variable in VARIABLES
    }


def test_no_section_is_told_that_does_not_exist() -> None:
    """A heading with a table is a section of the file, or the environment."""
    told = {heading for heading, rows in tables().items() if rows}
    assert told == {*every_section(), "The environment"}


def test_every_link_leads_somewhere() -> None:
    """A link within the page has its heading."""
    headings = {line.lstrip("# ") for line in TEXT.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= headings
