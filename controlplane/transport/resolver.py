"""Names to addresses: afresh for every lookup, and never waiting for one another.

pycares was tried and is unfit: c-ares answers from a cache of its own for up to
an hour, and the binding offers no way to turn it off. So this is a stub that
asks the servers of resolv.conf by UDP, and by TCP where an answer was cut off;
the hosts file comes first.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.clock import Clock
from controlplane.transport.dns import (
    NAME_ERROR,
    NO_ERROR,
    Answer,
    QueryType,
    decode_answer,
    encode_name,
    encode_query,
)
from controlplane.transport.nameservice import (
    Followed,
    ResolvConf,
    Server,
    literal,
    parse_hosts,
    parse_resolv_conf,
)

_KIND_OF: Final = {4: QueryType.A, 6: QueryType.AAAA}
_VERSION_OF: Final = {kind: version for version, kind in _KIND_OF.items()}
_MOST_LOOKUPS: Final = 16_384
# A socket's port is part of what an answer must match: it is changed this often.
_QUERIES_A_SOCKET: Final = 4_096
_LONGEST_ANSWER: Final = 4_096


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
        self._sockets: dict[Server, _Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way = 0

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
        versions = _versions(prefer, fallback=fallback)
        known = literal(host)
        found = (known,) if known is not None else self._hosts.value().lookup(host)
        if found:
            done(_choose(host, found, versions, 0.0))
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
        _Lookup(self, host, names, versions, timeout, done).begin()

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
        """Close all sockets. Lookups under way end by their time-outs."""
        for task in self._tasks:
            task.cancel()
        for used in self._sockets.values():
            used.close()
        self._sockets.clear()

    def conf(self) -> ResolvConf:
        """Return how to ask, as the file says now."""
        conf = self._conf.value()
        if self._servers is None:
            return conf
        return ResolvConf(self._servers, conf.search, conf.ndots, conf.timeout, conf.attempts)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def socket_to(self, server: Server) -> "_Socket":
        """Return a socket connected to a server. Raises OSError."""
        used = self._sockets.get(server)
        if used is None or used.worn_out:
            fresh = _Socket(server)
            if used is not None:
                used.retire()
            self._sockets[server] = used = fresh
        return used

    def ask_by_tcp(self, question: "_Question", server: Server, seconds: float) -> None:
        """Ask again over TCP, for an answer that did not fit."""
        task = asyncio.get_running_loop().create_task(_ask_by_tcp(question, server, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _versions(prefer: str, *, fallback: bool) -> tuple[int, ...]:
    """Return the acceptable versions, the best first."""
    first, second = (4, 6) if prefer == "ip4" else (6, 4)
    return (first, second) if fallback else (first,)


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
        self._questions: list[_Question] = []
        self._error = ""
        self._timed_out = False

    def begin(self) -> None:
        """Ask about the next candidate."""
        _, wire_name = self._names.pop(0)
        self._questions = [
            _Question(self, wire_name, _KIND_OF[version]) for version in self._versions
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


class _Question:
    """One question, asked of server after server until one answers."""

    def __init__(self, lookup: _Lookup, wire_name: bytes, kind: QueryType) -> None:
        self._lookup = lookup
        self.wire_name = wire_name
        self.kind = kind
        conf = lookup.resolver.conf()
        self._patience = conf.timeout
        self._servers = list(conf.servers) * conf.attempts
        self._timer: asyncio.TimerHandle | None = None
        self._socket: _Socket | None = None
        self._identifier = 0
        self.server: Server = self._servers[0]
        self.addresses: tuple[str, ...] = ()
        self.over = False
        self.timed_out = False
        self.error = ""

    def ask(self) -> None:
        """Ask the next server; without one, or without time, the question is over."""
        self._forget()
        remaining = self._lookup.deadline - self._lookup.resolver.monotonic()
        if not self._servers or remaining <= 0:
            self._finish(timed_out=True, error=self.error or "no name server answered in time")
            return
        self.server = self._servers.pop(0)
        try:
            self._socket = self._lookup.resolver.socket_to(self.server)
            self._identifier = self._socket.send(self)
        except OSError as error:
            self.error = f"name server {self.server[0]}: {error.strerror or error}"
            asyncio.get_running_loop().call_soon(self._ask_again)
            return
        self._timer = asyncio.get_running_loop().call_later(
            min(self._patience, remaining), self.ask
        )

    def _ask_again(self) -> None:
        if not self.over:
            self.ask()

    def refused(self) -> None:
        """The server's port is closed: nobody will answer."""
        self.error = f"name server {self.server[0]} refuses queries"
        self.ask()

    def answer(self, answer: Answer, *, by_tcp: bool = False) -> None:
        """Take a server's word."""
        if answer.truncated and not by_tcp:
            self._forget()
            remaining = self._lookup.deadline - self._lookup.resolver.monotonic()
            self._lookup.resolver.ask_by_tcp(self, self.server, min(self._patience, remaining))
        elif answer.code in (NO_ERROR, NAME_ERROR):
            self.addresses = answer.addresses
            self._finish()
        else:
            self.error = f"name server {self.server[0]} answers with code {answer.code}"
            self.ask()

    def stop(self) -> None:
        """Nobody wants the answer any more."""
        self._forget()
        self.over = True

    def _finish(self, *, timed_out: bool = False, error: str = "") -> None:
        if not self.over:
            self._forget()
            self.over, self.timed_out, self.error = True, timed_out, error
            self._lookup.answered()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._socket.forget(self._identifier)
            self._socket = None


class _Socket:
    """A UDP socket connected to one server, with the questions it waits for."""

    def __init__(self, server: Server) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._sock.connect(server)
        self._waiting: dict[int, _Question] = {}
        self._asked = 0
        self._retired = False
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    @property
    def worn_out(self) -> bool:
        """Whether the next query should take a new socket."""
        return self._asked >= _QUERIES_A_SOCKET

    def send(self, question: _Question) -> int:
        """Send a question and return the number it is waiting under. Raises OSError."""
        identifier = secrets.randbits(16)
        while identifier in self._waiting:
            identifier = secrets.randbits(16)
        self._sock.send(encode_query(identifier, question.wire_name, question.kind))
        self._asked += 1
        self._waiting[identifier] = question
        return identifier

    def forget(self, identifier: int) -> None:
        """Wait no longer for an answer."""
        self._waiting.pop(identifier, None)
        if self._retired and not self._waiting:
            self.close()

    def retire(self) -> None:
        """Close as soon as nothing is waited for."""
        self._retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Close now."""
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()

    def _readable(self) -> None:
        while self._sock.fileno() >= 0:
            try:
                message = self._sock.recv(_LONGEST_ANSWER)
            except BlockingIOError:
                return
            except OSError:
                for question in list(self._waiting.values()):
                    question.refused()
                return
            question_asked = self._waiting.get(int.from_bytes(message[:2], "big"))
            if question_asked is not None:
                answer = decode_answer(message, question_asked.wire_name, question_asked.kind)
                if answer is not None:
                    question_asked.answer(answer)


async def _ask_by_tcp(question: _Question, server: Server, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(*server)
            try:
                query = encode_query(secrets.randbits(16), question.wire_name, question.kind)
                writer.write(len(query).to_bytes(2, "big") + query)
                size = int.from_bytes(await reader.readexactly(2), "big")
                message = await reader.readexactly(size)
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        question.refused()
        return
    answer = decode_answer(message, question.wire_name, question.kind)
    if answer is None:
        question.refused()
    else:
        question.answer(answer, by_tcp=True)
