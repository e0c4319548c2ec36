"""Who may hold a connection, and for how long: a real server, real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from controlplane.api.connections import ConnectionLimits, ConnectionMetrics, bounded
from controlplane.api.limits import LimitMiddleware, Limits

_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body; `/early` does so without reading it."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Site:
    """A server, what it counted, and connections to it."""

    def __init__(self, port: int, registry: CollectorRegistry, server: uvicorn.Server) -> None:
        self.port = port
        self._server = server
        self._registry = registry

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def end(self) -> None:
        """Begin to end: what is under way is answered."""
        self._server.should_exit = True

    def refused(self, reason: str) -> float:
        name = "controlplane_http_connections_refused_total"
        return self._registry.get_sample_value(name, {"reason": reason}) or 0.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(limits: ConnectionLimits, **settings: Any) -> AsyncIterator[Site]:
    """Serve the application on a free port."""
    registry = CollectorRegistry()
    config = uvicorn.Config(
        LimitMiddleware(application, limits=Limits(body=1000, seconds=20)),
        http=bounded(limits, ConnectionMetrics(registry)),
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
        **settings,
    )
    server = _Server(config)
    # Who connects before it has started waits in the backlog.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield Site(listening.getsockname()[1], registry, server)
        finally:
            server.should_exit = True
            await task


async def status_of(reader: asyncio.StreamReader) -> bytes:
    """Return the head of the next answer."""
    async with asyncio.timeout(10):
        return await reader.readuntil(b"\r\n\r\n")


async def end_of(reader: asyncio.StreamReader) -> None:
    """Wait until the server has closed."""
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):
            await reader.read()


async def dribble(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Send a byte now and then, until the server has had enough."""
    for place in range(10_000):
        writer.write(text[place % len(text) :][:1])
        await asyncio.sleep(0.01)  # noqa: TID251 - real bytes on a real socket
        if writer.is_closing():
            return


@pytest.mark.parametrize("text", [b"", b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000, b"\r\n"])
async def test_a_head_that_does_not_end_is_cut(text: bytes) -> None:
    """Nothing at all, a byte at a time, or empty lines: the time runs from the connection on."""
    async with serving(ConnectionLimits(head_seconds=0.2)) as site:
        reader, writer = await site.connect()
        dribbling = asyncio.create_task(dribble(writer, text)) if text else None
        assert (await status_of(reader)).startswith(b"HTTP/1.1 408")
        assert site.refused("slow_head") == 1
        if dribbling is not None:
            dribbling.cancel()
        writer.close()


async def test_the_next_head_is_timed_from_its_first_byte() -> None:
    """A connection that is kept alive is no way round the limit."""
    async with serving(ConnectionLimits(head_seconds=0.2)) as site:
        reader, writer = await site.connect()
        writer.write(_HEAD + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        dribbling = asyncio.create_task(dribble(writer, b"\r\n"))
        assert (await status_of(reader)).startswith(b"HTTP/1.1 408")
        dribbling.cancel()
        writer.close()


async def test_a_body_nobody_waits_for_is_cut() -> None:
    """The answer is there already; the rest comes a byte at a time."""
    async with serving(ConnectionLimits(head_seconds=0.2)) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        dribbling = asyncio.create_task(dribble(writer, b"x"))
        await end_of(reader)
        assert site.refused("slow_head") == 1
        dribbling.cancel()
        writer.close()


async def test_many_requests_on_one_connection_are_no_slow_head() -> None:
    """Heads of several requests, some in one piece, each within its time."""
    async with serving(ConnectionLimits(head_seconds=0.3, head_bytes=200)) as site:
        reader, writer = await site.connect()
        for _ in range(8):
            writer.write((_HEAD + b"\r\n") * 2)
            for _ in range(2):
                assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.05)  # noqa: TID251 - time that passes for the server
        assert site.refused("slow_head") == 0
        writer.close()


async def test_a_head_over_its_size_is_cut() -> None:
    """It is not kept in memory until its time is up."""
    async with serving(ConnectionLimits(head_bytes=1000)) as site:
        reader, writer = await site.connect()
        writer.write(_HEAD)
        for _ in range(2):
            writer.write(b"X: " + b"a" * 500 + b"\r\n")
            await asyncio.sleep(0.02)  # noqa: TID251 - so that they come one by one
        assert (await status_of(reader)).startswith(b"HTTP/1.1 431")
        writer.close()


async def test_connections_over_the_bound_are_told_so() -> None:
    """Those that are there go on; a place that gets free is taken again."""
    async with serving(ConnectionLimits(most=2)) as site:
        first, second, third = [await site.connect() for _ in range(3)]
        assert (await status_of(third[0])).startswith(b"HTTP/1.1 503")
        assert site.refused("too_many") == 1
        first[1].write(_HEAD + b"\r\n")
        assert (await first[0].readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        second[1].close()
        await second[1].wait_closed()
        await asyncio.sleep(0.05)  # noqa: TID251 - until the server has seen the end
        reader, writer = await site.connect()
        writer.write(_HEAD + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        for each in (first, third, (reader, writer)):
            each[1].close()


async def test_who_sends_all_before_reading_sees_the_413() -> None:
    """As common clients do: the rest of the body is read and thrown away."""
    async with serving(ConnectionLimits()) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
        assert (await status_of(reader)).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_a_chunked_body_over_the_limit_is_read_to_its_end() -> None:
    """The answer comes first, the connection is closed after the last chunk."""
    async with serving(ConnectionLimits()) as site:
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            writer.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert (await status_of(reader)).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_who_has_just_connected_is_answered_at_the_end() -> None:
    """A request that arrives on a new connection while the server ends is not lost."""
    async with serving(ConnectionLimits()) as site:
        reader, writer = await site.connect()
        idle_reader, idle_writer = await site.connect()
        idle_writer.write(_HEAD + b"\r\n")
        assert (await idle_reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
        site.end()
        # One that was answered and is silent is closed at once: by then the server is ending.
        await end_of(idle_reader)
        writer.write(_HEAD + b"Connection: close\r\n\r\n")
        assert (await status_of(reader)).startswith(b"HTTP/1.1 200")
        await end_of(reader)
        for each in (writer, idle_writer):
            each.close()
