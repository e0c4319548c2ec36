"""libcurl's multi handles: what they want watched, and when they want to be called."""

import contextlib
import select
from typing import Any, Final

import pycurl

from controlplane.clock import Clock
from controlplane.transport.exchange import Options

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
_MOST_MULTIS: Final = 64


class Multi:
    """One multi handle. `timer_at` is when libcurl wants to be called, on the steady clock."""

    __slots__ = ("_action", "_clock", "_epoll", "_owners", "curl", "timer_at")

    def __init__(self, epoll: select.epoll, owners: dict[int, "Multi"], clock: Clock) -> None:
        """`owners` says whose each watched socket is; it is one for all multi handles."""
        self._epoll = epoll
        self._owners = owners
        self._clock = clock
        self.timer_at: float | None = None
        self.curl: Any = pycurl.CurlMulti()
        self._action = self.curl.socket_action
        self.curl.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.curl.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        # Each probe is a connection of its own: a limit or a cache here only slows it.
        self.curl.setopt(pycurl.M_MAXCONNECTS, 1024)

    def happened(self, fd: int, mask: int) -> None:
        """Tell libcurl what epoll said of one of its sockets."""
        self._action(fd, _ACTIONS[mask & 31])

    def time_up(self) -> None:
        """Call libcurl, whose time has come."""
        self.timer_at = None
        self._action(pycurl.SOCKET_TIMEOUT, 0)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        owners = self._owners
        if what == pycurl.POLL_REMOVE:
            # As a rule it is closed now, and epoll forgets it by itself.
            owners.pop(fd, None)
        elif fd in owners:
            self._epoll.modify(fd, _EVENTS[what])
        else:
            owners[fd] = self
            try:
                self._epoll.register(fd, _EVENTS[what])
            except FileExistsError:
                self._epoll.modify(fd, _EVENTS[what])

    def _set_timer(self, milliseconds: int) -> None:
        if milliseconds < 0:
            self.timer_at = None
        elif milliseconds:
            self.timer_at = self._clock.monotonic() + milliseconds / 1000
        else:
            self.timer_at = 0.0  # at once


class Multis:
    """The multi handles, one for each file of trusted roots.

    A multi handle keeps one such file parsed. Were transfers that trust different
    ones to share it, each handshake would read its own anew: 10 ms for a
    distribution's bundle.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._epoll = select.epoll()
        self._owners: dict[int, Multi] = {}
        self._by_roots: dict[object, Multi] = {}
        self.all: list[Multi] = []

    def fileno(self) -> int:
        """Return the descriptor that is readable when something has happened."""
        return self._epoll.fileno()

    def serving(self, options: Options) -> Multi:
        """Return the multi handle for transfers with these options."""
        roots = next((value for key, value in options.settings if key == pycurl.CAINFO), None)
        found = self._by_roots.get(roots)
        if found is None:
            if len(self.all) < _MOST_MULTIS:
                found = Multi(self._epoll, self._owners, self._clock)
                self.all.append(found)
            else:
                found = self.all[-1]
            self._by_roots[roots] = found
        return found

    def events(self, most: int) -> list[tuple[int, int]]:
        """Return what has happened by now: sockets with epoll's masks."""
        return self._epoll.poll(0, most)

    def owner(self, fd: int) -> Multi | None:
        """Return whose a socket is now."""
        return self._owners.get(fd)

    def unwatch(self, fd: int) -> None:
        """Forget a socket that nobody wants any more."""
        # Closed already, if this event was taken together with what ended it.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)

    def timer_at(self) -> float | None:
        """Return when the first of them wants to be called."""
        return min((each.timer_at for each in self.all if each.timer_at is not None), default=None)

    def close(self) -> None:
        """Close all."""
        for multi in self.all:
            multi.curl.close()
        self._epoll.close()
