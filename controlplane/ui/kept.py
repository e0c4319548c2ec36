"""What was made for one reader and serves the next, for as long as it stays true."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

_MOST: Final = 64


class Kept:
    """The newest value of each name, with the version of what it was made from."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._values: OrderedDict[str, tuple[Hashable, Any]] = OrderedDict()

    def get(self, name: str, version: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a name, made anew when it is of another version."""
        kept = self._values.get(name)
        if kept is None or kept[0] != version:
            kept = (version, make())
            self._values[name] = kept
        self._values.move_to_end(name)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return cast(T, kept[1])
