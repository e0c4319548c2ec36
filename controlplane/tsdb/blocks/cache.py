"""Pages that were decoded lately, up to a bound of bytes. Safe from any thread."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast


class Sized(Protocol):
    """Something kept: it knows how many bytes it holds."""

    @property
    def nbytes(self) -> int: ...


_T = TypeVar("_T", bound=Sized)


class PageCache:
    """The least recently used goes first; what is larger than the bound is not kept."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._pages: OrderedDict[Hashable, Sized] = OrderedDict()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """How many bytes are kept."""
        return self._bytes

    def get(self, key: Hashable, load: Callable[[], _T]) -> _T:
        """Return what is kept under `key`, or what `load` returns; two may load the same."""
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None:
                self._pages.move_to_end(key)
                return cast(_T, kept)
        loaded = load()
        with self._lock:
            if key not in self._pages and loaded.nbytes <= self._bound:
                self._pages[key] = loaded
                self._bytes += loaded.nbytes
            while self._bytes > self._bound:
                self._bytes -= self._pages.popitem(last=False)[1].nbytes
        return loaded
