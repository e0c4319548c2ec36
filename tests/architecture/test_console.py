"""docs/console.md tells every page, and no other; every text of the console is translated."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from controlplane.ui.language import DEFAULT, LANGUAGES
from controlplane.ui.routes import PLACES
from tests.architecture.test_sources import PACKAGE, ROOT, modules

_WORDS: Final = PACKAGE / "ui" / "words"
Texts = str | Sequence[str] | None
_TEXT = (Path(__file__).parents[2] / "docs" / "console.md").read_text()


def test_every_page_is_told() -> None:
    """The table has the path of each page."""
    rows = [line.split("|")[1] for line in _TEXT.splitlines() if line.startswith("| `/")]
    told = {path for row in rows for path in re.findall(r"`([^`]+)`", row)}
    assert told == {place.path for place in PLACES}


def test_every_catalogue_is_whole(tmp_path: Path) -> None:
    """A language that is offered says all that `make words` finds, with the same values."""
    wanted = {message.id for message in found(tmp_path / "console.pot")}
    for code in LANGUAGES:
        if code == DEFAULT:
            continue
        messages = [message for message in catalogue(_WORDS / f"{code}.po") if message.id]
        assert {message.id for message in messages} == wanted - {""}
        for message in messages:
            assert all(texts(message.string)), message.id
            assert places(message.string) == places(message.id), message.id


def test_what_a_decision_says_can_be_found() -> None:
    """The template of a sentence is a literal, or `make words` would pass it by."""
    calls = [
        node
        for path in modules(PACKAGE / "autoscale")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Sentence"
    ]
    assert calls
    hidden = [ast.unparse(each) for each in calls if not isinstance(each.args[0], ast.Constant)]
    assert hidden == []


def found(path: Path) -> Catalog:
    """Return what the command in the Makefile finds; it is written to a file."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    command = re.search(r"pybabel (.* extract .*) -o \S+ (\S+)", makefile)
    assert command is not None
    options, source = command.groups()
    arguments = [*shlex.split(options), "-o", str(path), source]
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", *arguments], cwd=ROOT, check=True
    )
    return catalogue(path)


def catalogue(path: Path) -> Catalog:
    """Read a catalogue."""
    with path.open(encoding="utf-8") as file:
        return read_po(file)


def texts(message: Texts) -> Sequence[str]:
    """Return the texts of a message: two, where it has a plural."""
    return [message] if isinstance(message, str) else message or [""]


def places(message: Texts) -> set[str]:
    """Return the names of a message's places for values."""
    return {name for text in texts(message) for name in re.findall(r"%\((\w+)\)s", text)}
