"""A secret that cannot be printed by accident."""

from collections.abc import Callable
from typing import Final

REDACTED: Final = "<secret>"


class Secret:
    """Something to be sent and never shown.

    Whoever builds it decides where the text comes from; one that stands in a
    file is read anew when the file changes, so `reveal` at each use.
    """

    __slots__ = ("_read",)

    def __init__(self, source: str | Callable[[], str]) -> None:
        self._read: Callable[[], str] = source if callable(source) else lambda: source

    def reveal(self) -> str:
        """Return the text as it is now. A source in a file may raise Unavailable."""
        return self._read()

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__
