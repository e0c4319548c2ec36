"""Scraping over HTTP with the real libcurl: negotiation, gzip, bounds, time-outs, credentials."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.scrape.fetch import HttpFetch
from controlplane.scrape.job import Failure, ScrapeJob
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetched
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.options import Authorization, BasicAuth, HTTPClientConfig
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import Resolution, Resolved

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Loopback:
    """A Resolver for which every name is loopback, without asking anybody."""

    def lookup(
        self,
        host: str,
        done: Resolved,
        *,
        prefer: str = "ip6",
        fallback: bool = True,
        timeout: float,
    ) -> None:
        done(Resolution("127.0.0.1", 4, 0.0))

    def known(self, host: str, prefer: str, fallback: bool) -> Resolution | None:
        return None

    async def resolve(
        self, host: str, *, prefer: str = "ip6", fallback: bool = True, timeout: float
    ) -> Resolution:
        return Resolution("127.0.0.1", 4, 0.0)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    clock = SystemClock()
    engine = Engine(clock)
    engine.start()
    yield Client(engine, Loopback(), OutboundPolicy(), clock)
    await engine.close()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def fetch(
    client: Client, answer: bytes | Answer, *, timeout: int = 5_000, **config: Any
) -> tuple[Fetched, str]:
    """Serve one answer on loopback and fetch it; returns the request's head too."""
    requests: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if callable(answer):
                await answer(requests[-1], writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    given = ScrapeConfig("j", **config)
    job = ScrapeJob("k", f"http://t.test:{port}/m?x=1", Labels(), 60_000, timeout, given)
    try:
        return await HttpFetch(client)(job)(), "".join(requests)
    finally:
        server.close()


async def test_request_and_answer(client: Client) -> None:
    """A scrape asks as Prometheus asks, and takes body and content type."""
    answer = response(b"a 1\n", "Content-Type: text/plain; version=0.0.4")
    fetched, request = await fetch(client, answer, timeout=2_500)
    assert fetched == Fetched(b"a 1\n", "text/plain; version=0.0.4")
    lines = request.splitlines()
    assert lines[0] == "GET /m?x=1 HTTP/1.1"
    assert "X-Prometheus-Scrape-Timeout-Seconds: 2.5" in lines
    assert "Accept-Encoding: gzip" in lines
    assert any(line.startswith("Accept: application/openmetrics-text;version=1") for line in lines)
    assert any(line.startswith("User-Agent: controlplane/") for line in lines)


async def test_gzip(client: Client) -> None:
    """A compressed body arrives whole; without compression none is asked for."""
    body = b"".join(b'a{n="%d"} %d\n' % (n, n) for n in range(5000))
    answer = response(gzip.compress(body), "Content-Encoding: gzip", "Content-Type: text/plain")
    fetched, _ = await fetch(client, answer)
    assert fetched.body == body
    _, request = await fetch(client, response(b""), enable_compression=False)
    assert "Accept-Encoding: identity" in request


async def test_gzip_bomb(client: Client) -> None:
    """What inflates beyond the limit is cut off."""
    answer = response(gzip.compress(b"x" * (50 << 20)), "Content-Encoding: gzip")
    fetched, _ = await fetch(client, answer, body_size_limit=1 << 20)
    assert fetched.failure is Failure.SIZE
    assert fetched.body == b""


async def test_broken_gzip(client: Client) -> None:
    """A body that is not what its encoding says is no body."""
    fetched, _ = await fetch(client, response(b"not gzip", "Content-Encoding: gzip"))
    assert fetched.failure in (Failure.ENCODING, Failure.PROTOCOL)


async def test_endless_body(client: Client) -> None:
    """A chunked body without end stops at the limit of size."""

    async def endless(_request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()

    fetched, _ = await fetch(client, endless, body_size_limit=1 << 20)
    assert fetched.failure is Failure.SIZE


async def test_slow_body(client: Client) -> None:
    """A body that trickles is cut off by the time-out."""

    async def trickle(_request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await SystemClock().sleep(0.02)

    fetched, _ = await fetch(client, trickle, timeout=200)
    assert fetched.failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (response(b"", status="503 Service Unavailable"), Failure.STATUS),
        (response(b"", status="204 No Content"), Failure.STATUS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na 1", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", Failure.PROTOCOL),
        (b"", Failure.CLOSED),
    ],
)
async def test_failures(client: Client, answer: bytes, failure: Failure) -> None:
    """Each way to fail has its reason."""
    fetched, _ = await fetch(client, answer)
    assert fetched.failure is failure
    assert fetched.error


async def test_status_in_words(client: Client) -> None:
    """The error of a bad status says what the server said."""
    fetched, _ = await fetch(client, response(b"", status="503 Service Unavailable"))
    assert fetched.error == "server returned HTTP status 503 Service Unavailable"


async def test_redirect_that_is_not_followed(client: Client) -> None:
    """With follow_redirects off a redirect is a failure."""
    answer = response(b"", "Location: /elsewhere", status="302 Found")
    client_config = HTTPClientConfig(follow_redirects=False)
    fetched, _ = await fetch(client, answer, http_client=client_config)
    assert fetched.failure in (Failure.REDIRECT, Failure.STATUS)


async def test_credentials(client: Client) -> None:
    """Basic and bearer credentials are sent."""
    basic = HTTPClientConfig(basic_auth=BasicAuth("user", Secret("pass")))
    _, request = await fetch(client, response(b""), http_client=basic)
    assert "Authorization: Basic dXNlcjpwYXNz" in request
    bearer = HTTPClientConfig(authorization=Authorization("Bearer", Secret("token")))
    _, request = await fetch(client, response(b""), http_client=bearer)
    assert "Authorization: Bearer token" in request


async def test_unusable_url(client: Client) -> None:
    """A job that cannot be asked says so on each scrape, instead of raising."""
    job = ScrapeJob("k", "ftp://h/", Labels(), 60_000, 1_000, ScrapeConfig("j"))
    assert (await HttpFetch(client)(job)()).failure is Failure.CONFIG


async def test_denied_address(client: Client) -> None:
    """The outbound policy is asked."""
    strict = Client(client.engine, client.resolver, OutboundPolicy(["127.0.0.0/8"]), client.clock)
    fetched, request = await fetch(strict, response(b"a 1\n"))
    assert (fetched.failure, request) == (Failure.POLICY, "")
