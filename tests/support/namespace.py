"""A network of its own for a process, joined to this machine by a cable that can be pulled.

It takes root and `ip` of iproute2; `allowed` tells whether this machine has both.
Addresses are of the range for tests of networks (RFC 2544), and gone at the end.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network
from itertools import count
from pathlib import Path
from typing import Final

_IP: Final = shutil.which("ip")
_TIMEOUT: Final = 10
_CLONE_NEWNET: Final = 0x40000000
_NUMBERS: Final = count()
_RANGE: Final = IPv4Network("198.18.0.0/15")
_EACH: Final = 8


@dataclass(frozen=True, slots=True)
class Namespace:
    """A process in it is at `address`, and reaches servers here that listen on `ground`."""

    name: str
    address: str
    ground: str

    @property
    def cable(self) -> str:
        """Name of our end of the cable."""
        return f"{self.name}h"

    def pull(self) -> None:
        """Pull the cable: what is sent is lost, without a word to either side."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        """Put it back."""
        _ip("link", "set", self.cable, "up")


@lru_cache(maxsize=1)
def allowed() -> bool:
    """Tell whether such networks can be had here."""
    if _IP is None or os.geteuid() != 0:
        return False
    with suppress(subprocess.SubprocessError), namespace() as made:
        return _reaches_us(made)
    return False


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Give a network with its cable plugged in. Raises subprocess.SubprocessError."""
    # Of one process there are few, of several processes at a time few collide.
    number = (os.getpid() + next(_NUMBERS)) % (_RANGE.num_addresses // _EACH)
    ours, address, ground = (str(_RANGE[number * _EACH + host]) for host in (1, 2, 3))
    made = Namespace(f"cp{number}", address, ground)
    try:
        _ip("netns", "add", made.name)
        inside = ("-n", made.name)
        _ip("link", "add", made.cable, "type", "veth", "peer", "name", "eth0", "netns", made.name)
        # On the loopback here, the servers' address outlives the pulled cable.
        _ip("address", "add", f"{ground}/32", "dev", "lo")
        _ip("address", "add", f"{ours}/29", "dev", made.cable)
        _ip(*inside, "address", "add", f"{address}/29", "dev", "eth0")
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "set", "eth0", "up")
        made.plug()
        yield made
    finally:
        for words in (
            ("link", "delete", made.cable),
            ("address", "delete", f"{made.ground}/32", "dev", "lo"),
            ("netns", "delete", made.name),
        ):
            with suppress(subprocess.SubprocessError):
                _ip(*words)


def enter(name: str) -> None:
    """Move this process, which has one thread, into the network of that name. Raises OSError."""
    with Path("/run/netns", name).open("rb") as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _reaches_us(made: Namespace) -> bool:
    """Tell whether a process in there reaches a server that listens on the ground here."""
    with socket.create_server((made.ground, 0)) as server:
        reach = f"import socket; socket.create_connection({server.getsockname()}, {_TIMEOUT / 2})"
        command = ("netns", "exec", made.name, sys.executable, "-c", reach)
        with suppress(subprocess.SubprocessError):
            _ip(*command)
            return True
    return False


def _ip(*words: str) -> None:
    assert _IP is not None
    subprocess.run([_IP, *words], check=True, capture_output=True, timeout=_TIMEOUT)
