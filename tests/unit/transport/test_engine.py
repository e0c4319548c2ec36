"""The engine when something of its own goes wrong: nobody waits for ever, and it is counted."""

import pycurl
import pytest

from controlplane.clock import SystemClock
from controlplane.errors import InvalidInput
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Exchange, Failure, Options
from controlplane.transport.handles import HandlePool, Slot, failure_of
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.profile import Profile
from controlplane.transport.response import ends_head, final_headers
from controlplane.transport.url import parse_url
from tests.support.web import answer, web


async def get(client: Client, url: str) -> Failure | None:
    request = Profile(HTTPClientConfig(), Options()).request(parse_url(url))
    return (await client.fetch(request, 3.0)).failure


def broken(*_args: object, **_named: object) -> None:
    raise RuntimeError("a fault of our own")


@pytest.mark.parametrize(
    ("owner", "method", "failure"),
    [
        (Slot, "unload", Failure.PROTOCOL),
        (Slot, "load", Failure.CONFIG),
        (HandlePool, "give", None),
    ],
)
async def test_a_fault_ends_one_exchange_only(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    failure: Failure | None,
) -> None:
    """Whatever raises on the thread, its exchange ends, and the next is as ever."""
    async with web(answer()) as site:
        with monkeypatch.context() as broken_here:
            broken_here.setattr(owner, method, broken)
            assert await get(client, site.url()) is failure
        assert await get(client, site.url()) is None
    assert client.engine.in_flight == 0
    assert client.engine.faults == (method != "load")


async def test_late_cancel_is_harmless() -> None:
    """Once closed the engine takes whatever it is told, and does nothing."""
    engine = Engine(SystemClock())
    engine.start()
    await engine.close()
    exchange = Exchange("http://127.0.0.1/", Options(), 0.0, lambda _exchange: None)
    engine.cancel(exchange)
    engine.submit([exchange])
    await engine.close()
    assert engine.in_flight == 0


def test_http3_needs_a_libcurl_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HTTP/3 in libcurl a module that wants it is refused in so many words."""
    config = HTTPClientConfig(enable_http2=False)
    monkeypatch.setattr(pycurl, "version_info", lambda: (0, "", 0, "", 0))
    with pytest.raises(InvalidInput, match="no HTTP/3"):
        Profile(config, Options(), http3=True)


@pytest.mark.parametrize(
    ("code", "message", "failure"),
    [
        (1, "Received HTTP/0.9 when not allowed", Failure.PROTOCOL),
        (1, "Protocol not supported", Failure.CONFIG),
        (7, "Failed to connect to a port 1 after 0 ms", Failure.CONNECT),
        (7, "CONNECT tunnel failed, response 403", Failure.PROXY),
        (56, "CONNECT tunnel failed, response 407", Failure.PROXY),
        (7, "Failed to connect to a:1 over proxy b", Failure.PROXY),
        (55, "Failed to connect to a:1: Failed sending data to the peer", Failure.CONNECT),
        (56, "Recv failure: Connection reset by peer", Failure.CLOSED),
        (56, "OpenSSL SSL_read: tlsv13 alert certificate required", Failure.TLS),
        (56, "chunk hex-length char not a hex digit: 0x5a", Failure.PROTOCOL),
        (60, "SSL certificate problem", Failure.TLS),
        (9999, "something new", Failure.PROTOCOL),
    ],
)
def test_codes_of_libcurl(code: int, message: str, failure: Failure) -> None:
    """A code and, where it is ambiguous, its words say what failed."""
    assert failure_of(code, message) is failure


OK = [b"HTTP/1.1 200 OK\r\n", b"A: 1\r\n", b"\r\n"]


@pytest.mark.parametrize(
    ("lines", "head", "whole"),
    [
        (OK, OK, True),
        ([b"HTTP/1.1 100 Continue\r\n", b"\r\n", *OK], OK, True),
        ([b"HTTP/1.1 103 Hints\r\n", b"A: 0\r\n", b"\r\n"] * 2 + OK, OK, True),
        ([*OK, b"Trailer: 1\r\n"], OK, True),
        ([*OK, b"Trailer: 1\r\n", b"\r\n"], OK, True),
        (OK[:2], OK[:2], False),
        ([b"HTTP/1.1 100 Continue\r\n", b"\r\n", *OK[:2]], OK[:2], False),
        ([b"HTTP/1.1 200 OK\n", b"\n"], [b"HTTP/1.1 200 OK\n", b"\n"], True),
        ([], [], False),
    ],
)
def test_final_head(lines: list[bytes], head: list[bytes], whole: bool) -> None:
    """Of all lines those of the last response's head are taken, and it is known to be whole."""
    assert final_headers(lines) == head
    assert ends_head(final_headers(lines)) is whole
