"""Answers that go wrong half-way: each ends in time, with its reason and its evidence."""

import asyncio
import socket
import struct

import pytest

from controlplane.clock import SystemClock
from controlplane.probes.outcome import EVIDENCE_BODY, Reason
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, module, values

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


async def test_slow_body_is_timeout(prober: Rig) -> None:
    """A body that trickles is cut at the deadline; what was known by then is told."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await SystemClock().sleep(0.02)

    async with web(handler=trickle) as site:
        outcome = await prober.probe(site.url(), seconds=0.3)
    told = values(outcome)
    assert outcome.reason is Reason.TIMEOUT
    assert 0.25 < outcome.duration < 2
    assert told["probe_http_status_code"] == 200
    assert 0 < told["probe_http_uncompressed_body_length"] < 1000


async def test_reset_in_the_body_is_closed(prober: Rig) -> None:
    """A reset after half a body has reason closed, and the status that came."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"half")
        await writer.drain()
        await SystemClock().sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async with web(handler=reset) as site:
        outcome = await prober.probe(site.url(), module(fail_if_body_not_matches_regexp=("half",)))
    assert outcome.reason is Reason.CLOSED
    assert values(outcome)["probe_http_status_code"] == 200
    assert values(outcome)["probe_failed_due_to_regex"] == 1
    assert outcome.evidence is not None
    assert outcome.evidence.body == "half"


@pytest.mark.parametrize(
    ("respond", "reason", "status"),
    [
        (b"", Reason.CLOSED, 0),
        (HEAD + b"short", Reason.CLOSED, 200),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Reason.CLOSED, 0),
        (b"<html>HTTP/0.9 has no head</html>", Reason.PROTOCOL, 0),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Reason.PROTOCOL, 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", Reason.PROTOCOL, 200),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Reason.PROTOCOL, 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Reason.PROTOCOL, 0),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000 + b"\r\n\r\n", Reason.SIZE, 0),
    ],
)
async def test_broken_answers(prober: Rig, respond: bytes, reason: Reason, status: int) -> None:
    """What is cut off, is not HTTP, or has no end, is told apart."""
    async with web(respond) as site:
        outcome = await prober.probe(site.url(), seconds=3)
    assert outcome.reason is reason
    assert values(outcome)["probe_http_status_code"] == status


async def test_endless_chunks_are_size(prober: Rig) -> None:
    """A chunked body without end is read up to the limit and no further."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with web(handler=endless) as site:
        outcome = await prober.probe(site.url(), module(body_size_limit=1 << 20))
    assert outcome.reason is Reason.SIZE
    assert values(outcome)["probe_http_uncompressed_body_length"] == 1 << 20


async def test_endless_interim_answers_end_in_time(prober: Rig) -> None:
    """A server that only ever says 100 Continue gets no further than the limits."""

    async def continuing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            await writer.drain()
            await SystemClock().sleep(0.01)

    async with web(handler=continuing) as site:
        outcome = await prober.probe(site.url(), seconds=0.5)
    assert outcome.reason in (Reason.TIMEOUT, Reason.SIZE)
    assert values(outcome)["probe_http_status_code"] == 0


async def test_evidence_of_odd_bytes(prober: Rig) -> None:
    """Headers and body that are no UTF-8 are shown somehow, bounded, and break nothing."""
    body = b"\xff\xfe" + b"x" * 10_000
    async with web(answer("500 \xe9", body=body, headers=("X-Odd: \xe9\xff",))) as site:
        outcome = await prober.probe(site.url())
    evidence = outcome.evidence
    assert evidence is not None
    assert outcome.reason is Reason.STATUS
    assert ("X-Odd", "éÿ") in evidence.headers
    assert evidence.body.startswith("\ufffd\ufffdxx")
    assert len(evidence.body) <= EVIDENCE_BODY
