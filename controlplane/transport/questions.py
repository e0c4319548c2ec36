"""Questions to name servers: by UDP, by TCP where an answer was cut off, server after server."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from typing import Final

from controlplane.clock import Clock
from controlplane.transport.dns import (
    NAME_ERROR,
    NO_ERROR,
    Answer,
    QueryType,
    decode_answer,
    encode_query,
)
from controlplane.transport.nameservice import ResolvConf, Server

# A socket's port is part of what an answer must match: it is changed this often.
_QUERIES_A_SOCKET: Final = 4_096
_LONGEST_ANSWER: Final = 4_096


class NameServers:
    """The way to the name servers: a socket for each, and what asks them by TCP."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._sockets: dict[Server, _Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def socket_to(self, server: Server) -> "_Socket":
        """Return a socket connected to a server. Raises OSError."""
        if self._closed:
            raise OSError("the resolver is closed")
        used = self._sockets.get(server)
        if used is None or used.worn_out:
            fresh = _Socket(server)
            if used is not None:
                used.retire()
            self._sockets[server] = used = fresh
        return used

    def ask_by_tcp(self, question: "Question", server: Server, seconds: float) -> None:
        """Ask again over TCP, for an answer that did not fit."""
        task = asyncio.get_running_loop().create_task(_ask_by_tcp(question, server, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Close all sockets, and open no more."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for used in self._sockets.values():
            used.close()
        self._sockets.clear()


class Question:
    """One question, asked of server after server until one answers.

    `answered` is called once, when it is `over`: then there are `addresses`
    (none for a name that has none), or an `error`.
    """

    def __init__(
        self,
        servers: NameServers,
        conf: ResolvConf,
        wire_name: bytes,
        kind: QueryType,
        deadline: float,
        answered: Callable[[], None],
    ) -> None:
        self.wire_name = wire_name
        self.kind = kind
        self._name_servers = servers
        self._patience = conf.timeout
        self._servers = list(conf.servers) * conf.attempts
        self._deadline = deadline
        self._answered = answered
        self._timer: asyncio.TimerHandle | None = None
        self._socket: _Socket | None = None
        self._identifier = 0
        self._server: Server = self._servers[0]
        self.addresses: tuple[str, ...] = ()
        self.over = False
        self.timed_out = False
        self.error = ""

    def ask(self) -> None:
        """Ask the next server; without one, or without time, the question is over."""
        if self.over:
            return
        self._forget()
        remaining = self._remaining()
        if not self._servers or remaining <= 0:
            silent = not self.error
            self._finish(timed_out=silent, error=self.error or "no name server answered in time")
            return
        self._server = self._servers.pop(0)
        try:
            self._socket = self._name_servers.socket_to(self._server)
            self._identifier = self._socket.send(self)
        except OSError as error:
            self.error = f"name server {self._server[0]}: {error.strerror or error}"
            asyncio.get_running_loop().call_soon(self.ask)
            return
        self._timer = asyncio.get_running_loop().call_later(
            min(self._patience, remaining), self.ask
        )

    def refused(self) -> None:
        """The server's port is closed: nobody will answer."""
        self.error = f"name server {self._server[0]} refuses queries"
        self.ask()

    def answer(self, answer: Answer, *, by_tcp: bool = False) -> None:
        """Take a server's word."""
        if answer.truncated and not by_tcp:
            self._forget()
            seconds = min(self._patience, self._remaining())
            self._name_servers.ask_by_tcp(self, self._server, seconds)
        elif answer.code in (NO_ERROR, NAME_ERROR):
            self.addresses = answer.addresses
            self._finish()
        else:
            self.error = f"name server {self._server[0]} answers with code {answer.code}"
            self.ask()

    def stop(self) -> None:
        """Nobody wants the answer any more."""
        self._forget()
        self.over = True

    def _remaining(self) -> float:
        return self._deadline - self._name_servers.clock.monotonic()

    def _finish(self, *, timed_out: bool = False, error: str = "") -> None:
        if not self.over:
            self._forget()
            self.over, self.timed_out, self.error = True, timed_out, error
            self._answered()

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
        try:
            self._sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            self._sock.connect(server)
        except OSError:
            self._sock.close()
            raise
        self._waiting: dict[int, Question] = {}
        self._asked = 0
        self._retired = False
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._readable)

    @property
    def worn_out(self) -> bool:
        """Whether the next query should take a new socket."""
        return self._asked >= _QUERIES_A_SOCKET

    def send(self, question: Question) -> int:
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
        """Close now: what is waited for will not come."""
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            for question in list(self._waiting.values()):
                question.refused()

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
            asked = self._waiting.get(int.from_bytes(message[:2], "big"))
            if asked is not None:
                answer = decode_answer(message, asked.wire_name, asked.kind)
                if answer is not None:
                    asked.answer(answer)


async def _ask_by_tcp(question: Question, server: Server, seconds: float) -> None:
    identifier = secrets.randbits(16).to_bytes(2, "big")
    query = encode_query(int.from_bytes(identifier, "big"), question.wire_name, question.kind)
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(*server)
            try:
                writer.write(len(query).to_bytes(2, "big") + query)
                size = int.from_bytes(await reader.readexactly(2), "big")
                message = await reader.readexactly(size)
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        question.refused()
        return
    answer = decode_answer(message, question.wire_name, question.kind)
    if answer is None or message[:2] != identifier:
        question.refused()
    else:
        question.answer(answer, by_tcp=True)
