"""The libcurl engine: thousands of transfers, on the event loop itself.

libcurl tells which sockets to watch and when to look again (`socket_action`, as
in curl's own hiperfifo example). The sockets are watched by an epoll of the
engine's own, whose descriptor the event loop watches: a turn takes what has
happened on all of them, begins what has been submitted, and tells what has
ended. A turn is short, whatever there is to do; the rest waits for the next.

On a thread of its own libcurl cost half as much again (docs/adr/0007).
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from controlplane.clock import Clock
from controlplane.telemetry.logs import get_logger
from controlplane.transport.exchange import Exchange, Failure
from controlplane.transport.handles import HandlePool, Slot, failure_of
from controlplane.transport.multis import Multis
from controlplane.transport.process import open_files_limit

log = get_logger(__name__)

# What one turn does at most, so that nobody else on the loop waits for long, and so
# that a socket that became ready is looked at soon: its phases are timed by libcurl then.
_LONGEST_TURN: Final = 0.002  # seconds of events
_MOST_EVENTS: Final = 64
_MOST_BEGUN: Final = 32
_FEWEST_BEGUN: Final = 1  # while sockets wait: what is under way goes before what is new
_PAUSE_SECONDS: Final = 0.1

# How many more there are, what succeeded, and what failed with its code and its words.
_Finished = tuple[int, list[Any], list[tuple[Any, int, str]]]


class Engine:
    """Runs exchanges. Everything is called on the event loop on which `start` was."""

    def __init__(self, clock: Clock, *, most_in_flight: int | None = None) -> None:
        """`most_in_flight` is by default what the limit of open files has room for."""
        self._clock = clock
        self._most = most_in_flight or max(64, open_files_limit() * 4 // 5)
        self._inbox: deque[Exchange] = deque()
        self._events: deque[tuple[int, int]] = deque()
        self._ended: list[Exchange] = []
        self._waiting: list[tuple[float, int, Exchange]] = []
        self._serial = 0
        self._in_flight = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._soon: asyncio.Handle | None = None  # the next turn, when it is to come at once
        self._later: asyncio.TimerHandle | None = None  # and when libcurl's time has come
        self._later_at = 0.0
        self.faults = 0  # of our own, in all

    def start(self) -> None:
        """Begin to work on the event loop that runs here."""
        self._multis = Multis(self._clock)
        self._pool = HandlePool(self._multis)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._multis.fileno(), self._turn)
        self._turn_soon()  # for what was submitted already

    async def close(self) -> None:
        """Stop. Exchanges under way are dropped: nobody is told."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.remove_reader(self._multis.fileno())
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._pool.close()
        self._multis.close()

    @property
    def in_flight(self) -> int:
        """How many transfers libcurl is working on."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many exchanges wait for room."""
        return len(self._waiting)

    def submit(self, exchanges: Iterable[Exchange]) -> None:
        """Start exchanges, each of which calls its `done` once unless cancelled."""
        self._inbox.extend(exchanges)
        self._turn_soon()

    def cancel(self, exchange: Exchange) -> None:
        """End an exchange whose `done` is no longer wanted."""
        exchange.cancelled = True
        self.submit((exchange,))

    def _turn_soon(self) -> None:
        if self._soon is None and self._loop is not None:
            self._soon = self._loop.call_soon(self._turn)

    def _turn_later(self) -> None:
        """Have a turn when libcurl wants one, or the most urgent of those waiting gives up."""
        until = self._multis.timer_at()
        if self._waiting and (until is None or self._waiting[0][0] < until):
            until = self._waiting[0][0]
        if until is None or self._loop is None:
            return
        if self._later is not None:
            # One that comes too early asks again: cheaper than one for each change of mind.
            if self._later_at <= until:
                return
            self._later.cancel()
        delay = until - self._clock.monotonic()
        if delay <= 0:
            self._later = None
            self._turn_soon()
        else:
            self._later, self._later_at = self._loop.call_later(delay, self._time_up), until

    def _time_up(self) -> None:
        self._later = None
        self._turn()

    def _turn(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        try:
            self._step()
            self._turn_later()
        except Exception:  # it serves everybody and must not end
            self.faults += 1
            log.exception("engine turn failed")
            self._rest()

    def _rest(self) -> None:
        """Pause: a fault that repeats must not eat the core."""
        if self._loop is not None:
            self._loop.remove_reader(self._multis.fileno())
            self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._multis.fileno(), self._turn)
            self._turn_soon()

    def _step(self) -> None:
        calm = self._handle_events()
        if self._inbox:
            self._take(_MOST_BEGUN if calm else _FEWEST_BEGUN)
        now = self._clock.monotonic()
        for multi in self._multis.all:
            if multi.timer_at is not None and multi.timer_at <= now:
                multi.time_up()
            self._collect(multi.curl.info_read)
        if self._waiting:
            self._admit(now)
        if self._ended:
            ended, self._ended = self._ended, []
            _tell(ended)

    def _handle_events(self) -> bool:
        """Handle what has happened, for a while; tell whether that was all."""
        monotonic, multis, events = self._clock.monotonic, self._multis, self._events
        if not events:
            events.extend(multis.events(_MOST_EVENTS))
        calm = len(events) < _MOST_EVENTS
        until = monotonic() + _LONGEST_TURN
        while events:
            fd, mask = events.popleft()
            owner = multis.owner(fd)
            if owner is None:
                multis.unwatch(fd)
                continue
            owner.happened(fd, mask)
            if monotonic() > until:
                # In their order: asked again, epoll would put these behind all others.
                self._turn_soon()
                return False
        return calm

    def _take(self, most: int) -> None:
        inbox = self._inbox
        for _ in range(min(len(inbox), most)):
            exchange = inbox.popleft()
            if exchange.cancelled:
                self._abort(exchange)
            elif self._in_flight < self._most:
                self._begin(exchange)
            else:
                self._serial += 1
                heapq.heappush(self._waiting, (exchange.deadline, self._serial, exchange))
        if inbox:
            self._turn_soon()

    def _admit(self, now: float) -> None:
        """Start what waits, the most urgent first; refuse what has no time left."""
        while self._waiting:
            deadline, _, exchange = self._waiting[0]
            if not exchange.cancelled and deadline > now and self._in_flight >= self._most:
                return
            heapq.heappop(self._waiting)
            if exchange.cancelled:
                continue
            if deadline <= now:
                exchange.failure = Failure.OVERLOAD
                exchange.error = f"no room within its time: {self._most} transfers under way"
                self._ended.append(exchange)
            else:
                self._begin(exchange)

    def _begin(self, exchange: Exchange) -> None:
        remaining = exchange.deadline - self._clock.monotonic()
        if remaining <= 0.0005:
            exchange.failure, exchange.error = Failure.TIMEOUT, "no time left to begin"
            self._ended.append(exchange)
            return
        try:
            slot = self._pool.take(exchange.options)
            slot.load(exchange, remaining)
            slot.multi.curl.add_handle(slot.curl)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one ends only it
            exchange.failure, exchange.error = Failure.CONFIG, f"cannot be sent: {error}"
            self._ended.append(exchange)
            return
        exchange.slot = slot
        self._in_flight += 1

    def _abort(self, exchange: Exchange) -> None:
        slot, exchange.slot = exchange.slot, None
        if slot is None:
            return
        self._in_flight -= 1
        self._release(cast(Slot, slot))

    def _collect(self, info_read: Callable[[int], _Finished]) -> None:
        """Take what libcurl has finished."""
        more = 1
        while more:
            more, succeeded, failed = info_read(_MOST_EVENTS)
            for curl in succeeded:
                self._finish(curl.slot, 0, "")
            for curl, code, message in failed:
                self._finish(curl.slot, code, message)

    def _finish(self, slot: Slot, code: int, message: str) -> None:
        exchange = slot.exchange
        if exchange is None:
            return
        try:
            slot.unload(whole=code == 0)
        except Exception as error:  # whatever it is, somebody waits for the end of it
            self.faults += 1
            log.exception("response cannot be read")
            exchange.failure, exchange.error = Failure.PROTOCOL, f"cannot be read: {error}"
        if code:
            exchange.failure = exchange.failure or failure_of(code, message)
            exchange.error = exchange.error or message
        exchange.slot = None
        self._in_flight -= 1
        self._ended.append(exchange)
        self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Put a handle back; one that cannot be is let go, and holds nobody up."""
        try:
            slot.multi.curl.remove_handle(slot.curl)
            self._pool.give(slot)
        except Exception:  # its exchange has ended, and the others must
            self.faults += 1
            log.exception("handle cannot be put back")


def _tell(batch: list[Exchange]) -> None:
    for exchange in batch:
        if not exchange.cancelled:
            # Who is told as a rule holds the exchange: a cycle less for the collector.
            done, exchange.done = exchange.done, _ignore
            try:
                done(exchange)
            except Exception:  # one caller's fault is not the next one's
                log.exception("callback of an exchange failed")


def _ignore(_exchange: Exchange) -> None:
    """Whoever asked has been told."""
