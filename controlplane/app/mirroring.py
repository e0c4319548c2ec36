"""Keeps what this replica has in memory equal to the tables that it shares with others.

PostgreSQL notes what changes; each look reads what is new to this replica and has
the parts that mirror it take up those rows. There is a look every second, at once
when another replica says so, and before a request is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controlplane.clock import Clock, sleep_unless
from controlplane.errors import ControlPlaneError
from controlplane.storage.changes import Cursor, News
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Reads rows anew: those with some keys, or all. Raises Unavailable.
Refresh = Callable[[Collection[str] | None], Awaitable[None]]

# Seconds between two looks, and at least when others say that there is something.
_EVERY: Final = 1.0
_PAUSE: Final = 0.05
# Seconds that a request waits at most; then it is answered from what is there.
_PATIENCE: Final = 1.0
_TRIM_EVERY: Final = 60.0


class Changes(Protocol):
    """Where changes are read: `storage.changes.SqlChanges`. All raise Unavailable."""

    async def position(self) -> Cursor: ...
    async def since(self, cursor: Cursor) -> tuple[Cursor, News]: ...
    async def trim(self) -> int: ...


class MirrorMetrics:
    """What mirrors tell of themselves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.looks = Histogram(
            "controlplane_mirror_look_seconds",
            "Time to read what other replicas changed, and to take it up.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
            registry=registry,
        )
        self.failures = Counter(
            "controlplane_mirror_failures_total",
            "Looks at what other replicas changed that failed.",
            registry=registry,
        )
        self.changes = Counter(
            "controlplane_mirror_changes_total",
            "Rows read anew because somebody changed them, by kind.",
            ["kind"],
            registry=registry,
        )
        self.stale = Counter(
            "controlplane_mirror_stale_answers_total",
            "Requests answered from what was there, as it could not be brought up to date in time.",
            registry=registry,
        )
        self.seen = Gauge(
            "controlplane_mirror_last_success_timestamp_seconds",
            "When this replica was last up to date with what others changed.",
            registry=registry,
        )


class Mirrors:
    """All mirrors of this replica. Belongs to one event loop.

    `begin` before anything is loaded: what changes from then on is read.
    Handlers are by kind, and called in their order; a kind without one is
    passed over. A look that fails leaves what it read for the next one.
    """

    def __init__(
        self,
        changes: Changes,
        handlers: Mapping[str, Refresh],
        clock: Clock,
        metrics: MirrorMetrics,
    ) -> None:
        self._changes = changes
        self._handlers = handlers
        self._clock = clock
        self._metrics = metrics
        self._cursor: Cursor | None = None
        # What was read and is not yet taken up; None stands for all rows of a kind.
        self._pending: dict[str, set[str] | None] = {}
        self._taken = 0
        self._away = False
        self._began: float | None = None  # when the look that is under way did
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._trimmed_at = clock.monotonic()

    @property
    def taken(self) -> int:
        """How often rows were taken up: what was made before the last time may be out of date."""
        return self._taken

    async def begin(self) -> None:
        """Take what is committed now for known: it is loaded after this. Raises Unavailable."""
        self._cursor = await self._changes.position()

    def wake(self) -> None:
        """Have a look soon: another replica changed something."""
        self._woken.set()

    async def fresh(self) -> None:
        """Return when all that was committed before the call is taken up.

        Those who call at the same time share a look. It waits a second at
        most, and not at all while the database is away, or one look takes longer.
        """
        if self._away or self._is_slow():
            self._metrics.stale.inc()
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._look()
        except TimeoutError:
            self._metrics.stale.inc()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await self._trim()
            await self._clock.sleep(_PAUSE)
            await sleep_unless(self._clock, self._woken, _EVERY - _PAUSE)

    async def drain(self) -> None:
        """Return when no look is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _look(self) -> None:
        """Return after a look that begins from here on. Whoever goes away does not end it."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_in_turn())
            self._tasks.add(self._next)
            self._next.add_done_callback(self._tasks.discard)
        await asyncio.shield(self._next)

    async def _look_in_turn(self) -> None:
        async with self._lock:
            # Who comes from here on may want what is committed after this look began.
            self._next = None
            self._woken.clear()
            self._began = began = self._clock.monotonic()
            try:
                await self._read()
                await self._take_up()
            except ControlPlaneError as error:
                self._failed(str(error))
            except Exception as error:
                log.exception("changes of other replicas could not be taken up")
                self._failed(repr(error))
            else:
                self._succeeded(self._clock.monotonic() - began)
            finally:
                self._began = None

    def _is_slow(self) -> bool:
        return self._began is not None and self._clock.monotonic() - self._began > _PATIENCE

    async def _read(self) -> None:
        """Add what is new to what is to be taken up."""
        if self._cursor is None:
            raise RuntimeError("begin comes first")
        self._cursor, news = await self._changes.since(self._cursor)
        if news.everything:
            log.warning("too much was missed: everything is read anew")
            self._pending = dict.fromkeys(self._handlers)
            return
        for kind, keys in news.keys.items():
            self._metrics.changes.labels(kind).inc(len(keys))
            waiting = self._pending.setdefault(kind, set())
            if waiting is not None:
                waiting |= keys

    async def _take_up(self) -> None:
        if not self._pending:
            return
        for kind, refresh in self._handlers.items():
            if kind in self._pending:
                await refresh(self._pending[kind])
                del self._pending[kind]
        self._pending.clear()
        self._taken += 1

    def _failed(self, reason: str) -> None:
        self._metrics.failures.inc()
        if not self._away:
            log.warning("changes of other replicas cannot be read", reason=reason)
        self._away = True

    def _succeeded(self, seconds: float) -> None:
        self._metrics.looks.observe(seconds)
        self._metrics.seen.set(self._clock.now() / 1000)
        if self._away:
            log.info("changes of other replicas are read again")
        self._away = False

    async def _trim(self) -> None:
        """Delete what no replica needs any more, now and then."""
        if self._away or self._clock.monotonic() - self._trimmed_at < _TRIM_EVERY:
            return
        self._trimmed_at = self._clock.monotonic()
        try:
            await self._changes.trim()
        except ControlPlaneError as error:
            log.warning("changes could not be trimmed", error=str(error))
