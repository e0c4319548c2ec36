"""Events in the form in which a stream sends them, each made once however many read it."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from controlplane.events.event import Event, Kind

_T = TypeVar("_T")
_KEPT: Final = 1_024


class Encoded(Generic[_T]):
    """Calls `encode` once for each of the last thousand events."""

    def __init__(self, encode: Callable[[Event], _T]) -> None:
        self._encode = encode
        self._made: dict[str, _T] = {}

    def __call__(self, event: Event) -> _T:
        made = self._made.get(event.id)
        # A RESET that is one listener's alone has the id of the event before it.
        if made is None or event.kind is Kind.RESET:
            made = self._encode(event)
            if len(self._made) >= _KEPT:
                del self._made[next(iter(self._made))]
            self._made[event.id] = made
        return made
