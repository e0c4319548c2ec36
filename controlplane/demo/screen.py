"""What the person at the terminal sees."""

import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from controlplane.demo.stories import Step, Story

_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90"}
# A URL is longer than any line and stays whole, so that a terminal can open it.
_WRAP: Final = textwrap.TextWrapper(
    92, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)
_STEP_COLOUR: Final = {Step.PENDING: "yellow", Step.FIRING: "red"}


class Screen:
    """Prints each event on a line with the seconds since the start.

    `seconds` returns them. Colours are for terminals only; the words say it all.
    """

    def __init__(self, seconds: Callable[[], float], out: TextIO | None = None) -> None:
        self._seconds = seconds
        self._out = out or sys.stdout
        self._coloured = self._out.isatty()

    def say(self, text: str, colour: str = "") -> None:
        """Print one line."""
        self._line(self._paint(text, colour))

    def heading(self, text: str) -> None:
        """Print a line that stands apart."""
        self._out.write("\n")
        self.say(text, "blue")

    def step(self, story: Story, step: Step) -> None:
        """Print that a story went on."""
        colour = _STEP_COLOUR.get(step, "green" if "resolved" in step else "red")
        self.say(f"{story.title:<8} {story.service:<9} {step.upper()}  ({story.alertname})", colour)

    def message(self, receiver: str, text: str) -> None:
        """Print a message as the engineer reads it, framed under its receiver's name."""
        self.say(f"┌ {receiver}", "blue")
        for line in text.splitlines():
            for part in _WRAP.wrap(line) or [""]:
                self._out.write(f"         │ {part}\n")
        self._out.flush()

    def waiting(self, stories: Sequence[Story]) -> None:
        """Print what has still to happen."""
        open_stories = [story for story in stories if not story.complete]
        parts = [f"{story.title}: {story.missing[0]}" for story in open_stories]
        self.say(f"waiting for  {';  '.join(parts)}", "grey")

    def _line(self, text: str) -> None:
        self._out.write(f"{self._seconds():6.1f}s  {text}\n")
        self._out.flush()

    def _paint(self, text: str, colour: str) -> str:
        if not self._coloured or not colour:
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
