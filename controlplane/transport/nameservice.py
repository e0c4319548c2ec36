"""What the machine says about names: /etc/hosts and /etc/resolv.conf, followed as they change."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Generic, TypeVar

from controlplane.clock import Clock

_LOOK_AGAIN_SECONDS: Final = 5.0
_MOST_NAMESERVERS: Final = 3

T = TypeVar("T")
Server = tuple[str, int]
_LOCAL_SERVER: Final[tuple[Server, ...]] = (("127.0.0.1", 53),)


@lru_cache(maxsize=65_536)
def literal(host: str) -> tuple[str, int] | None:
    """Return (address, version) when `host` is an address itself."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return str(address), address.version


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names of a hosts file with their addresses, in its order."""

    names: dict[str, tuple[tuple[str, int], ...]]

    def lookup(self, host: str) -> tuple[tuple[str, int], ...]:
        """Return (address, version) pairs, none when the file does not name the host."""
        return self.names.get(host.rstrip(".").lower(), ())


def parse_hosts(text: str) -> Hosts:
    """Read a hosts file (hosts(5)); lines that make no sense are passed over."""
    names: dict[str, list[tuple[str, int]]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        address = literal(words[0]) if words else None
        if address is None:
            continue
        for name in words[1:]:
            names.setdefault(name.rstrip(".").lower(), []).append(address)
    return Hosts({name: tuple(addresses) for name, addresses in names.items()})


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """How to ask: servers in order, search domains, and patience in seconds."""

    servers: tuple[Server, ...] = _LOCAL_SERVER
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return the full names to try for `name`, in order."""
        if name.endswith("."):
            return (name,)
        searched = tuple(f"{name}.{domain}" for domain in self.search)
        return (name, *searched) if name.count(".") >= self.ndots else (*searched, name)


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read a resolv.conf(5); what it does not say keeps its default."""
    servers: list[Server] = []
    search: tuple[str, ...] = ()
    options = {"ndots": 1, "timeout": 5, "attempts": 2}
    for line in text.splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver" and literal(words[1].partition("%")[0]) is not None:
            servers.append((words[1], 53))
        elif words[0] in ("domain", "search"):
            search = tuple(domain.rstrip(".") for domain in words[1:] if domain != ".")
        elif words[0] == "options":
            for word in words[1:]:
                name, _, value = word.partition(":")
                if name in options and value.isdigit():
                    options[name] = int(value)
    return ResolvConf(
        tuple(servers[:_MOST_NAMESERVERS]) or _LOCAL_SERVER,
        search,
        min(options["ndots"], 15),
        float(max(1, min(options["timeout"], 30))),
        max(1, min(options["attempts"], 5)),
    )


class Followed(Generic[T]):
    """A small file's meaning, read again when the file has changed."""

    __slots__ = ("_clock", "_look_at", "_parse", "_path", "_stamp", "_value")

    def __init__(self, path: str, parse: Callable[[str], T], clock: Clock) -> None:
        self._path = path
        self._parse = parse
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._value = parse("")
        self._look_at = float("-inf")

    def value(self) -> T:
        """Return what the file says, at most some seconds late; a missing one is empty."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_AGAIN_SECONDS
            self._refresh()
        return self._value

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - the hot path's only system call
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                text = Path(self._path).read_text(encoding="utf-8", errors="replace")
                self._value, self._stamp = self._parse(text), stamp
        except OSError:
            if self._stamp is not None:
                self._value, self._stamp = self._parse(""), None
