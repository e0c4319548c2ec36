"""docs/console.md tells every page, and no other; every text of the console is translated."""

import re
from pathlib import Path

from babel.messages.pofile import read_po

from controlplane.ui.language import DEFAULT, LANGUAGES
from controlplane.ui.routes import PLACES
from tests.architecture.test_sources import PACKAGE

_TEXT = (Path(__file__).parents[2] / "docs" / "console.md").read_text()


def test_every_page_is_told() -> None:
    """The table has the path of each page."""
    rows = [line.split("|")[1] for line in _TEXT.splitlines() if line.startswith("| `/")]
    told = {path for row in rows for path in re.findall(r"`([^`]+)`", row)}
    assert told == {place.path for place in PLACES}


def test_every_catalogue_is_whole() -> None:
    """A language that is offered says everything that it was given to say."""
    for code in LANGUAGES:
        if code == DEFAULT:
            continue
        path = PACKAGE / "ui" / "words" / f"{code}.po"
        with path.open(encoding="utf-8") as file:
            catalogue = read_po(file, locale=code)
        assert [message.id for message in catalogue if message.id and not message.string] == []
