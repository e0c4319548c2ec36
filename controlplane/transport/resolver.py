"""Names to addresses: afresh for every lookup, and never waiting for one another.

pycares was tried and is unfit: c-ares answers from a cache of its own for up to
an hour, and the binding offers no way to turn it off. So this is a stub that
asks the servers of resolv.conf by UDP, and by TCP where an answer was cut off;
the hosts file comes first.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.clock import Clock
from controlplane.transport.dns import QueryType, encode_name
from controlplane.transport.nameservice import (
    Followed,
    Hosts,
    ResolvConf,
    Server,
    literal,
    parse_hosts,
    parse_resolv_conf,
)
from controlplane.transport.questions import NameServers, Question

_KIND_OF: Final = {4: QueryType.A, 6: QueryType.AAAA}
_VERSION_OF: Final = {kind: version for version, kind in _KIND_OF.items()}
_MOST_LOOKUPS: Final = 16_384
_MOST_ANSWERS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a lookup: an address (version 4 or 6), or an error. `seconds` it took."""

    address: str
    version: int
    seconds: float
    error: str = ""
    timed_out: bool = False


Resolved = Callable[[Resolution], None]


class Resolver(Protocol):
    """Looks a name up afresh each time. A literal address costs nothing."""

    def lookup(
        self,
        host: str,
        done: Resolved,
        *,
        prefer: str = "ip6",
        fallback: bool = True,
        timeout: float,
    ) -> None:
        """Call `done` once on the event loop, at once when nothing need be asked.

        `prefer` is `ip4` or `ip6`; without `fallback` the other is no answer.
        """
        ...

    def known(self, host: str, prefer: str, fallback: bool) -> Resolution | None:  # noqa: FBT001
        """Return the answer when nothing need be asked, None when `lookup` has to."""
        ...

    async def resolve(
        self, host: str, *, prefer: str = "ip6", fallback: bool = True, timeout: float
    ) -> Resolution:
        """Return the address. A failure is a Resolution too, never an exception."""
        ...


class StubResolver:
    """The resolver of the process, on the event loop that runs when it is first used."""

    def __init__(
        self,
        clock: Clock,
        *,
        servers: Sequence[Server] | None = None,
        hosts: str = "/etc/hosts",
        resolv_conf: str = "/etc/resolv.conf",
    ) -> None:
        """`servers` (address, port) take the place of those in `resolv_conf`."""
        self._clock = clock
        self._servers = None if servers is None else tuple(servers)
        self._hosts = Followed(hosts, parse_hosts, clock)
        self._conf = Followed(resolv_conf, parse_resolv_conf, clock)
        self.name_servers = NameServers(clock)
        self.under_way = 0
        # What the hosts file says now, by what was asked.
        self._table: Hosts | None = None
        self._answers: dict[tuple[str, str, bool], Resolution] = {}

    def lookup(
        self,
        host: str,
        done: Resolved,
        *,
        prefer: str = "ip6",
        fallback: bool = True,
        timeout: float,
    ) -> None:
        """Call `done` once, with what `Resolver.lookup` promises."""
        known = self.known(host, prefer, fallback)
        if known is not None:
            done(known)
            return
        if self.under_way >= _MOST_LOOKUPS:
            done(Resolution("", 0, 0.0, "too many lookups under way"))
            return
        try:
            names = [(name, encode_name(name)) for name in self.conf().candidates(host)]
        except (ValueError, UnicodeError) as error:
            done(Resolution("", 0, 0.0, str(error)))
            return
        self.under_way += 1
        _Lookup(self, host, names, _VERSIONS[prefer, fallback], timeout, done).begin()

    def known(self, host: str, prefer: str, fallback: bool) -> Resolution | None:  # noqa: FBT001
        """Return the answer for an address or a name of the hosts file, which takes no time."""
        table = self._hosts.value()
        if table is not self._table or len(self._answers) >= _MOST_ANSWERS:
            self._table = table
            self._answers.clear()
        asked = (host, prefer, fallback)
        answer = self._answers.get(asked)
        if answer is None:
            address = literal(host)
            found = (address,) if address is not None else table.lookup(host)
            if found:
                answer = self._answers[asked] = _choose(
                    host, found, _VERSIONS[prefer, fallback], 0.0
                )
        return answer

    async def resolve(
        self, host: str, *, prefer: str = "ip6", fallback: bool = True, timeout: float
    ) -> Resolution:
        """Return the address of `host`, or an error as a Resolution."""
        future: asyncio.Future[Resolution] = asyncio.get_running_loop().create_future()

        def done(resolution: Resolution) -> None:
            if not future.done():
                future.set_result(resolution)

        self.lookup(host, done, prefer=prefer, fallback=fallback, timeout=timeout)
        return await future

    async def close(self) -> None:
        """Close all sockets. Lookups under way end with an error."""
        self.name_servers.close()

    def conf(self) -> ResolvConf:
        """Return how to ask, as the file says now."""
        conf = self._conf.value()
        if self._servers is None:
            return conf
        return ResolvConf(self._servers, conf.search, conf.ndots, conf.timeout, conf.attempts)

    def monotonic(self) -> float:
        return self._clock.monotonic()


# By what is preferred, and whether the other will do: the best version first.
_VERSIONS: Final = {
    ("ip4", True): (4, 6),
    ("ip4", False): (4,),
    ("ip6", True): (6, 4),
    ("ip6", False): (6,),
}


def _choose(
    host: str, found: Sequence[tuple[str, int]], versions: tuple[int, ...], seconds: float
) -> Resolution:
    """Return the first address of the best version that there is."""
    for wanted in versions:
        for address, version in found:
            if version == wanted:
                return Resolution(address, version, seconds)
    return Resolution("", 0, seconds, f"no IPv{versions[0]} address for {host}")


class _Lookup:
    """One name looked up: its candidates in order, for each the two questions at once."""

    def __init__(
        self,
        resolver: StubResolver,
        host: str,
        names: list[tuple[str, bytes]],
        versions: tuple[int, ...],
        timeout: float,
        done: Resolved,
    ) -> None:
        self.resolver = resolver
        self._host = host
        self._names = names
        self._versions = versions
        self._started = resolver.monotonic()
        self.deadline = self._started + timeout
        self._done: Resolved | None = done
        self._questions: list[Question] = []
        self._error = ""
        self._timed_out = False

    def begin(self) -> None:
        """Ask about the next candidate."""
        _, wire_name = self._names.pop(0)
        resolver = self.resolver
        servers, conf = resolver.name_servers, resolver.conf()
        self._questions = [
            Question(servers, conf, wire_name, _KIND_OF[version], self.deadline, self.answered)
            for version in self._versions
        ]
        for question in self._questions:
            question.ask()

    def answered(self) -> None:
        """Look whether what has been answered is enough."""
        if self._done is None:
            return
        first = self._questions[0]
        if not first.addresses and not all(question.over for question in self._questions):
            return
        found = [
            (address, _VERSION_OF[question.kind])
            for question in self._questions
            for address in question.addresses
        ]
        if found:
            self._end(_choose(self._host, found, self._versions, self._seconds()))
            return
        self._timed_out |= any(question.timed_out for question in self._questions)
        self._error = next((q.error for q in self._questions if q.error), self._error)
        if self._names and self.resolver.monotonic() < self.deadline:
            self.begin()
            return
        error = self._error or f"no such host: {self._host}"
        self._end(Resolution("", 0, self._seconds(), error, self._timed_out))

    def _end(self, resolution: Resolution) -> None:
        done, self._done = self._done, None
        for question in self._questions:
            question.stop()
        self.resolver.under_way -= 1
        if done is not None:
            done(resolution)

    def _seconds(self) -> float:
        return self.resolver.monotonic() - self._started
