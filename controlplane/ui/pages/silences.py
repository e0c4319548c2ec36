"""All silences: those in force, those to come, those that have ended."""

from collections import Counter
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from controlplane.errors import InvalidInput
from controlplane.mute.silence import SilenceState
from controlplane.ui.console import Page
from controlplane.ui.pages.silence_draft import LENGTHS
from controlplane.ui.pages.silence_view import hidden_by, said, view

_MOST: Final = 100
_ADDRESS: Final = "/silences"


@dataclass(frozen=True, slots=True)
class SilenceFilter:
    """Which silences are shown: of a state, and with a word in them. Without a state, not over."""

    state: str = ""
    word: str = ""
    skip: int = 0

    def only(self, state: str) -> str:
        """Return the address of those in another state."""
        return self._address(state, 0)

    def further(self) -> str:
        """Return the address of the next ones."""
        return self._address(self.state, self.skip + _MOST)

    def _address(self, state: str, skip: int) -> str:
        fields = {"state": state, "search_for": self.word, "skip": str(skip or "")}
        kept = {name: value for name, value in fields.items() if value}
        return f"{_ADDRESS}?{urlencode(kept)}" if kept else _ADDRESS

    def takes(self, state: SilenceState) -> bool:
        """Tell whether silences in a state are shown."""
        return state.value == self.state if self.state else state is not SilenceState.EXPIRED


async def show(page: Page) -> Response:
    """List silences, those that end next first, the ended ones by their ends."""
    wanted = _filter(page)
    hidden = await hidden_by(page.on, page.now)
    views = [view(silence, page.now, hidden) for silence in page.on.silences.list()]
    found = [each for each in views if not wanted.word or wanted.word in said(each)]
    shown = [each for each in found if wanted.takes(each.state)]
    # The list comes with those first that end last.
    if wanted.state != SilenceState.EXPIRED:
        shown.reverse()
    context = {
        "wanted": wanted,
        "states": [state.value for state in SilenceState],
        "counts": Counter(each.state.value for each in found),
        "views": shown[wanted.skip : wanted.skip + _MOST],
        "left": max(0, len(shown) - wanted.skip - _MOST),
        "lengths": LENGTHS,
        "fields": {"state": wanted.state, "search_for": wanted.word, "skip": wanted.skip or ""},
    }
    return page.render("silences.html", context)


def _filter(page: Page) -> SilenceFilter:
    given = page.request.query_params
    state, skip = given.get("state", ""), given.get("skip", "0")
    if state and state not in list(SilenceState):
        raise InvalidInput(f"{state!r} is no state of a silence")
    known = skip.isascii() and skip.isdigit() and len(skip) < 8
    word = given.get("search_for", "").strip().lower()
    return SilenceFilter(state, word, int(skip) if known else 0)
