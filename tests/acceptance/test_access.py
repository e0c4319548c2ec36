"""Who is let in, and what a request may be, over real connections."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.house import configuration
from tests.support.service import Service, eventually, running

_TOKEN = "let-me-in-7f3a"
_PATHS = (
    "/api/v1/targets",
    "/api/v1/alerts",
    "/api/v1/dead-letters",
    "/api/v1/openapi.json",
    "/prometheus/api/v1/query?query=1",
    "/prometheus/api/v1/rules",
    "/metrics",
    "/probe?target=x",
    "/nothing",
)


async def test_with_a_token_everything_but_health_needs_it(tmp_path: Path) -> None:
    """Reads too; the wrong token is refused; health says no more than whether."""
    async with running(tmp_path, configuration(), token=_TOKEN) as service:
        service.environment["CONTROLPLANE_API_TOKEN"] = _TOKEN
        await service.terminate()
        await service.start()
        for path in _PATHS:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": _TOKEN}):
                answer = await service.client.get(service.url + path, headers=headers)
                assert (path, answer.status_code) == (path, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/health", "/ready", "/-/healthy", "/-/ready", "/login", "/sw.js"):
            assert (await service.client.get(service.url + path)).status_code == 200
        assert (await service.request("GET", "/api/v1/targets")).status_code == 200
        foreign = await service.request("GET", "/api/v1/targets", headers={"Host": "cp.example"})
        assert foreign.status_code == 200
        assert _TOKEN not in str(service.lines)


async def _raw(service: Service, head: str, *chunks: bytes) -> str:
    """Send bytes as they are; return the answer's head and body."""
    parts = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass  # it was answered before everything was sent
    try:
        async with asyncio.timeout(20):
            head_ = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1])
                for line in head_.lower().splitlines()
                if line.startswith("content-length")
            )
            return head_ + (await reader.readexactly(length)).decode()
    finally:
        writer.close()


_POST = "POST /api/v1/targets HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"


@pytest.fixture
def environment() -> dict[str, str]:
    return {"CONTROLPLANE_REQUEST_TIMEOUT": "1s", "CONTROLPLANE_MAX_BODY": "100000"}


async def test_hostile_bodies_end_with_an_answer(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Too large, endless, too slow, cut short: each is answered, and the service stays well."""
    async with running(tmp_path, configuration(), environment=environment) as service:
        declared = await _raw(service, f"{_POST}Content-Length: 100000000", b"{")
        assert declared.startswith("HTTP/1.1 413")
        assert "connection: close" in declared
        chunk = b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"
        endless = await _raw(service, f"{_POST}Transfer-Encoding: chunked", chunk, chunk)
        assert endless.startswith("HTTP/1.1 413")
        slow = await _raw(service, f"{_POST}Content-Length: 100", b"x")
        assert slow.startswith("HTTP/1.1 408")
        problem = json.loads(slow.partition("\r\n\r\n")[2])
        assert problem["type"] == "urn:controlplane:problem:slow-request"
        # The connection is cut in the middle of a body: nobody is there to be answered.
        parts = urlsplit(service.url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"{_POST}Content-Length: 100\n\n{{".replace("\n", "\r\n").encode())
        await writer.drain()
        writer.close()
        assert (await service.get("/ready"))["status"] == "ready"
        assert not service.events("request failed")


@pytest.mark.parametrize(
    ("trusted", "given", "seen"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.7", "203.0.113.7"),
        # Only the last hop is known to be told truly.
        ("127.0.0.0/8", "10.9.9.9, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8,203.0.113.7", "198.51.100.1, 203.0.113.7", "198.51.100.1"),
        ("10.0.0.0/8", "203.0.113.7", "127.0.0.1"),
    ],
)
async def test_who_asks_is_told_by_trusted_proxies_alone(
    tmp_path: Path, trusted: str, given: str, seen: str
) -> None:
    """Nobody is believed unless the settings say so, those on this machine neither."""
    environment = {"CONTROLPLANE_TRUSTED_PROXIES": trusted} if trusted else {}
    environment |= {"CONTROLPLANE_API_TOKEN": _TOKEN}
    async with running(tmp_path, configuration(), environment=environment, token=_TOKEN) as service:
        headers = {"X-Forwarded-For": given, "X-Correlation-Id": "who-asks"}
        answer = await service.request("GET", "/api/v1/targets", headers=headers)
        assert answer.status_code == 200

        async def line() -> dict[str, Any] | None:
            found = [each for each in service.lines if each.get("correlation_id") == "who-asks"]
            return found[0] if found else None

        told = await eventually(line, "the line of the request")
        assert told is not None
        assert told["client"] == seen
