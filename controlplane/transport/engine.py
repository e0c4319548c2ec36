"""The libcurl engine: one thread, one multi handle, thousands of transfers.

Exchanges go in in batches through a deque and a wake-up pipe, and come back
in batches too, one `call_soon_threadsafe` for all that ended together. The
thread waits in epoll; libcurl tells it which sockets to watch and when to
look again (`socket_action`, as in curl's own hiperfifo example).
"""

import asyncio
import contextlib
import heapq
import os
import select
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, cast

import pycurl

from controlplane.clock import Clock
from controlplane.telemetry.logs import get_logger
from controlplane.transport.exchange import Exchange, Failure
from controlplane.transport.handles import HandlePool, Slot, failure_of
from controlplane.transport.process import open_files_limit

log = get_logger(__name__)

# What libcurl asks to watch, in epoll's words (hang-ups are always told).
_EVENTS: Final = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
_ACTIONS: Final = tuple(
    (pycurl.CSELECT_IN if mask & (select.EPOLLIN | _BROKEN) else 0)
    | (pycurl.CSELECT_OUT if mask & (select.EPOLLOUT | _BROKEN) else 0)
    for mask in range(32)
)
_MOST_EVENTS: Final = 256  # taken from epoll at a time, so that new work is not kept waiting
_MOST_GATHERED: Final = 64  # ends told together at most, so that none is kept for long
_IDLE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.1


class Engine:
    """Runs exchanges. `submit` and `cancel` may be called from any thread."""

    def __init__(self, clock: Clock, *, most_in_flight: int | None = None) -> None:
        """`most_in_flight` is by default what the limit of open files has room for."""
        self._clock = clock
        self._most = most_in_flight or max(64, open_files_limit() * 4 // 5)
        self._inbox: deque[Exchange] = deque()
        self._outbox: list[Exchange] = []
        self._waiting: list[tuple[float, int, Exchange]] = []
        self._serial = 0
        self._in_flight = 0
        self._signalled = False
        self._closing = False
        self._pause = threading.Event()
        self.faults = 0  # of our own, in all
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake_read = self._wake_write = -1

    def start(self) -> None:
        """Start the thread; ends are told on the event loop that runs here."""
        self._loop = asyncio.get_running_loop()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="libcurl", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop the thread. Exchanges under way are dropped: nobody is told."""
        if self._thread is None:
            return
        self._closing = True
        self._signal()
        await asyncio.to_thread(self._thread.join)
        self._thread = None
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._wake_read = self._wake_write = -1

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
        if not self._signalled:
            self._signalled = True
            self._signal()

    def cancel(self, exchange: Exchange) -> None:
        """End an exchange whose `done` is no longer wanted."""
        exchange.cancelled = True
        self.submit((exchange,))

    def _signal(self) -> None:
        # A pipe full of signals wakes it all right, and one that is closed has nobody to wake.
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    # What follows runs on the engine's thread.

    def _run(self) -> None:
        self._epoll = select.epoll()
        self._multi: Any = pycurl.CurlMulti()
        self._pool = HandlePool()
        self._watched: set[int] = set()
        self._timer_at: float | None = None
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        # Each probe is a connection of its own: a limit or a cache here only slows it.
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1024)
        self._epoll.register(self._wake_read, select.EPOLLIN)
        try:
            while not self._closing:
                self._turn()
        finally:
            self._pool.close()
            self._multi.close()
            self._epoll.close()

    def _turn(self) -> None:
        try:
            self._step()
        except Exception:  # the thread serves everybody and must not end
            self.faults += 1
            log.exception("engine turn failed")
            self._pause.wait(_PAUSE_SECONDS)  # a fault that repeats must not eat the core

    def _step(self) -> None:
        now = self._clock.monotonic()
        action = self._multi.socket_action
        for fd, mask in self._poll(now):
            if fd in self._watched:
                action(fd, _ACTIONS[mask & 31])
            elif fd == self._wake_read:
                self._drain_signals()
            else:
                self._unwatch(fd)
        if self._inbox:
            self._take(self._inbox)
        now = self._clock.monotonic()
        if self._timer_at is not None and self._timer_at <= now:
            self._timer_at = None
            action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        if self._waiting:
            self._admit(now)

    def _poll(self, now: float) -> list[tuple[int, int]]:
        """Return what happens on the sockets; before a wait, deliver what has ended.

        While there is work, ends are gathered: each delivery wakes another thread.
        """
        if self._outbox:
            if len(self._outbox) < _MOST_GATHERED:
                events = self._epoll.poll(0, _MOST_EVENTS)
                if events:
                    return events
            self._deliver()
        return self._epoll.poll(self._patience(now), _MOST_EVENTS)

    def _patience(self, now: float) -> float:
        until = _IDLE_SECONDS if self._timer_at is None else self._timer_at - now
        if self._waiting:
            until = min(until, self._waiting[0][0] - now)
        return min(max(until, 0.0), _IDLE_SECONDS)

    def _drain_signals(self) -> None:
        # The pipe first: were it emptied after the flag fell, the signal of a submit in
        # between would be lost, its flag would stay, and nobody would signal any more.
        # What a submit before the fall has brought is in the inbox, which is looked at next.
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        self._signalled = False

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        watched = self._watched
        if what == pycurl.POLL_REMOVE:
            # As a rule it is closed now, and epoll forgets it by itself.
            watched.discard(fd)
        elif fd in watched:
            self._epoll.modify(fd, _EVENTS[what])
        else:
            watched.add(fd)
            try:
                self._epoll.register(fd, _EVENTS[what])
            except FileExistsError:
                self._epoll.modify(fd, _EVENTS[what])

    def _unwatch(self, fd: int) -> None:
        # Closed already, if this event was taken together with what ended it.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer_at = None if milliseconds < 0 else self._clock.monotonic() + milliseconds / 1000

    def _take(self, inbox: deque[Exchange]) -> None:
        while inbox:
            exchange = inbox.popleft()
            if exchange.cancelled:
                self._abort(exchange)
            elif self._in_flight < self._most:
                self._begin(exchange)
            else:
                self._serial += 1
                heapq.heappush(self._waiting, (exchange.deadline, self._serial, exchange))

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
                self._outbox.append(exchange)
            else:
                self._begin(exchange)

    def _begin(self, exchange: Exchange) -> None:
        remaining = exchange.deadline - self._clock.monotonic()
        if remaining <= 0.0005:
            exchange.failure, exchange.error = Failure.TIMEOUT, "no time left to begin"
            self._outbox.append(exchange)
            return
        try:
            slot = self._pool.take(exchange.options)
            slot.load(exchange, remaining)
            self._multi.add_handle(slot.curl)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one ends only it
            exchange.failure, exchange.error = Failure.CONFIG, f"cannot be sent: {error}"
            self._outbox.append(exchange)
            return
        exchange.slot = slot
        self._in_flight += 1

    def _abort(self, exchange: Exchange) -> None:
        slot, exchange.slot = exchange.slot, None
        if slot is None:
            return
        self._in_flight -= 1
        self._release(cast(Slot, slot))

    def _collect(self) -> None:
        """Take what libcurl has finished."""
        more = 1
        while more:
            more, succeeded, failed = self._multi.info_read(256)
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
        self._outbox.append(exchange)
        self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Put a handle back; one that cannot be is let go, and holds nobody up."""
        try:
            self._multi.remove_handle(slot.curl)
            self._pool.give(slot)
        except Exception:  # its exchange has ended, and the others must
            self.faults += 1
            log.exception("handle cannot be put back")

    def _deliver(self) -> None:
        batch, self._outbox = self._outbox, []
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(_tell, batch)
        except RuntimeError:
            self._closing = True  # the loop is gone, and with it everyone who asked


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
