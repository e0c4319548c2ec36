"""What was made for one reader serves the others, for as long as it is true.

Whoever asks for something that is not there makes it, and leaves it for the
next (cache-aside); who asks meanwhile waits for that one. A value is bound to
the version of what it was made from, which every change moves on before the
one who made the change is answered: so nobody reads what he has just changed
as it was before. Besides, it has a time to live.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Histogram

from controlplane.clock import Clock, Duration
from controlplane.events.event import Kind

T = TypeVar("T")

# Values of one age do not all end at once: each lives up to so much less than its time.
_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Shelf:
    """A kind of value: `kinds` of events change it, else it lives for `ttl`; `most` are kept."""

    name: str
    ttl: Duration
    kinds: frozenset[Kind] = frozenset()
    most: int = 256


class Store(Protocol):
    """A place that all replicas share, for bytes. None of it fails: what is away is not there."""

    async def get(self, key: str) -> bytes | None:
        """Return a value; None where there is none."""
        ...

    async def put(self, key: str, value: bytes, ttl: Duration) -> None:
        """Leave a value for so long. Whoever claimed the key has it no longer."""
        ...

    async def claim(self, key: str) -> bool:
        """Tell whether the caller is the one to make a value, for a moment."""
        ...

    async def awaited(self, key: str) -> bytes | None:
        """Return a value that somebody else is making; None when it takes too long."""
        ...


class CacheMetrics:
    """How often something was there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "controlplane_cache_requests_total",
            "Values asked for, by cache and outcome.",
            ["cache", "outcome"],
            registry=registry,
        )
        self.fills = Histogram(
            "controlplane_cache_fill_seconds",
            "Time to make a value that was not there.",
            ["cache"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
            registry=registry,
        )
        self.invalidations = Counter(
            "controlplane_cache_invalidations_total",
            "Values thrown away because something had changed, by cache.",
            ["cache"],
            registry=registry,
        )


class _Kept(NamedTuple):
    """A value, what it was made from, and until when it may be shown."""

    value: Any
    stamp: Hashable
    until: float


class Cache:
    """Values of all shelves. Belongs to one event loop.

    `version` returns what stands for the state of some kinds of things; what
    it returns after a change is another. `chance` returns numbers below 1.
    """

    def __init__(
        self,
        clock: Clock,
        version: Callable[[frozenset[Kind]], Hashable],
        metrics: CacheMetrics,
        *,
        chance: Callable[[], float],
        store: Store | None = None,
    ) -> None:
        self._clock = clock
        self._version = version
        self._metrics = metrics
        self._store = store
        self._chance = chance
        self._kept: dict[str, OrderedDict[str, _Kept]] = {}
        self._making: dict[tuple[str, str, Hashable], asyncio.Future[bool]] = {}

    async def get(self, shelf: Shelf, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Return the value of a key, made by `make()` when it is not there. Raises what that does.

        A maker that fails, or is cancelled, fails nobody else: the next one who waits makes it.
        """
        outcome = "hit"
        while True:
            stamp = self._version(shelf.kinds)
            kept = self._look(shelf, key, stamp)
            if kept is not None:
                self._count(shelf, outcome)
                return cast(T, kept.value)
            place = (shelf.name, key, stamp)
            making = self._making.get(place)
            if making is None:
                return await self._make(shelf, place, make)
            outcome = "joined"
            await asyncio.shield(making)

    async def shared(self, shelf: Shelf, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return bytes that all replicas may show, whoever of them made them.

        For what nothing but time changes: it is known to others by its key alone.
        """
        store, name = self._store, f"{shelf.name}:{key}"
        if store is None:
            return await self.get(shelf, key, make)

        async def find() -> bytes:
            found = await store.get(name)
            if found is None and not await store.claim(name):
                found = await store.awaited(name)
            if found is not None:
                self._count(shelf, "shared")
                return found
            made = await make()
            await store.put(name, made, shelf.ttl)
            return made

        return await self.get(shelf, key, find)

    def _look(self, shelf: Shelf, key: str, stamp: Hashable) -> _Kept | None:
        values = self._kept.get(shelf.name)
        kept = None if values is None else values.get(key)
        if values is None or kept is None:
            return None
        if kept.stamp == stamp and self._clock.monotonic() < kept.until:
            values.move_to_end(key)
            return kept
        if kept.stamp != stamp:
            self._metrics.invalidations.labels(shelf.name).inc()
        del values[key]
        return None

    async def _make(
        self, shelf: Shelf, place: tuple[str, str, Hashable], make: Callable[[], Awaitable[T]]
    ) -> T:
        self._count(shelf, "miss")
        made = self._making[place] = asyncio.get_running_loop().create_future()
        begin = self._clock.monotonic()
        try:
            value = await make()
            now = self._clock.monotonic()
            self._metrics.fills.labels(shelf.name).observe(now - begin)
            self._keep(shelf, place[1], _Kept(value, place[2], now + self._lives(shelf)))
            return value
        finally:
            del self._making[place]
            made.set_result(True)

    def _keep(self, shelf: Shelf, key: str, kept: _Kept) -> None:
        values = self._kept.setdefault(shelf.name, OrderedDict())
        values[key] = kept
        values.move_to_end(key)
        while len(values) > shelf.most:
            values.popitem(last=False)

    def _lives(self, shelf: Shelf) -> float:
        """Return for how many seconds a value made now is shown."""
        return shelf.ttl / 1000 * (1 - _JITTER * self._chance())

    def _count(self, shelf: Shelf, outcome: str) -> None:
        self._metrics.requests.labels(shelf.name, outcome).inc()
