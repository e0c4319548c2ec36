"""The outbound policy for libraries that open sockets of their own, such as Apprise.

Python announces each connection and each datagram before it is made (PEP 578);
an exception from a hook prevents it. So redirects, names that change their
address and services whose hosts only the library knows are all held against
the policy, at the address itself. Out of reach are sockets that a C library or
another process opens, and those of a thread that the library starts.
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any, Final

from controlplane.errors import Forbidden
from controlplane.transport.policy import OutboundPolicy

_EVENTS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class Prevented(OSError, Forbidden):
    """The policy's no, in the only form that such libraries know how to meet."""


class Watch:
    """What a block did: whether it began to send anything, and what it was denied."""

    def __init__(self, policy: OutboundPolicy) -> None:
        self.sent = False
        self.denied = ""
        self._policy = policy

    def meet(self, address: Any) -> None:
        """Take note of an address that is about to be spoken to. Raises Prevented."""
        for text in _addresses(address):
            if not self._policy.allows(text):
                self.denied = f"the outbound policy denies {text}"
                raise Prevented(self.denied)
        self.sent = True


_watch: ContextVar[Watch | None] = ContextVar("outbound_watch", default=None)
_installing: Final = threading.Lock()
_installed: list[bool] = []


@contextmanager
def guarded(policy: OutboundPolicy) -> Iterator[Watch]:
    """Hold all that this thread connects to, in the block, against the policy."""
    _install()
    watch = Watch(policy)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def _install() -> None:
    """Add the hook at its first use: Python has no way to take one out again."""
    with _installing:
        if not _installed:
            sys.addaudithook(_hear)
            _installed.append(True)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    watch = _watch.get()
    if watch is not None and arguments[0].family in _FAMILIES and arguments[1] is not None:
        watch.meet(arguments[1])


def _addresses(address: Any) -> Iterator[str]:
    """Give the IP addresses that a socket's address stands for; a name may have several."""
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    try:
        yield str(ip_address(host or "0.0.0.0"))  # noqa: S104 - what the empty host stands for
    except ValueError:
        for found in socket.getaddrinfo(host, None):
            yield str(found[4][0])
