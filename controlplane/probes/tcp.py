"""The `tcp` prober: connect, perhaps over TLS, and hold a conversation.

Metrics and semantics are blackbox_exporter's (0.28, prober/tcp.go and
query_response.go), except that `expect_bytes` reads as many bytes as it
expects, in however many pieces they come.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final, Protocol, cast

import re2

from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.expansion import Match, expand
from controlplane.probes.chains import describe_certificate
from controlplane.probes.network import LOOKUP_SERIES, lookup_values
from controlplane.probes.options import Module, QueryResponse, TCPProbe
from controlplane.probes.outcome import (
    EVIDENCE_BODY,
    Evidence,
    Outcome,
    ProbeSample,
    Reason,
    outcome_of,
)
from controlplane.probes.prober import Tools
from controlplane.probes.tls import TLSChannel, tls_context, tls_samples
from controlplane.transport.options import TLSConfig

_PIECE: Final = 16 << 10
# A line that is longer ends the probe, as in blackbox_exporter.
_LONGEST_LINE: Final = 64 << 10
# What a peer may say in all: each line is matched, and other probes wait meanwhile.
_MOST_BYTES: Final = 256 << 10


class _ProbeFailed(Exception):
    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class _Pattern(Protocol):
    groups: int
    groupindex: dict[str, int]

    def search(self, text: bytes) -> Match | None: ...


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> _Pattern:
    options = re2.Options()
    options.log_errors = False
    return cast(_Pattern, re2.compile(pattern, options))


async def probe_tcp(tools: Tools, target: str, module: Module, timeout: float) -> Outcome:
    """Probe `host:port`; takes at most `timeout` seconds and raises nothing."""
    return await _Probe(tools, target, module.tcp).run(timeout)


class _Probe:
    """One probe: what it has measured so far, and what it was doing."""

    def __init__(self, tools: Tools, target: str, options: TCPProbe) -> None:
        self._tools = tools
        self._target = target
        self._options = options
        self._host = ""
        self._peer = ""
        self._samples: dict[str, list[ProbeSample]] = {}
        self._phases: list[tuple[str, float]] = []
        self._log: list[str] = []
        self._heard = b""
        self._certificate = ""

    async def run(self, timeout: float) -> Outcome:
        started = self._tools.clock.monotonic()
        reason, error = None, ""
        try:
            async with asyncio.timeout(timeout):
                await self._probe(timeout)
        except _ProbeFailed as failed:
            reason, error = failed.reason, str(failed)
        except TimeoutError:
            reason, error = Reason.TIMEOUT, f"no end within {timeout:g} s"
        except ssl.SSLError as failed:
            reason, error = Reason.TLS, _words(failed)
        except OSError as failed:
            reason, error = Reason.CLOSED, _words(failed)
        seconds = self._tools.clock.monotonic() - started
        listed = [sample for group in self._samples.values() for sample in group]
        told = reason is not None or self._tools.verbose
        evidence = self._evidence(error) if told else None
        return outcome_of(listed, seconds, reason, evidence)

    def _evidence(self, error: str) -> Evidence:
        return Evidence(
            error=error,
            phases=tuple(self._phases),
            peer=self._peer,
            url=self._target,
            body=self._heard[-EVIDENCE_BODY:].decode(errors="replace"),
            certificate=self._certificate,
            log=tuple(self._log),
        )

    async def _probe(self, timeout: float) -> None:
        self._host, port = _split(self._target)
        address, version = await self._resolve(timeout)
        self._peer = f"[{address}]:{port}" if version == 6 else f"{address}:{port}"
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(0)
            self._bind(sock)
            await self._connect(sock, (address, port))
            channel: _Plain | TLSChannel = _Plain(sock)
            if self._options.tls:
                channel = await self._secure(sock)
            self._set("probe_failed_due_to_regex", 0)
            self._set("probe_failed_due_to_bytes", 0)
            if isinstance(channel, TLSChannel):
                self._describe(channel)
            with self._phase("processing"):
                await self._converse(sock, _Listener(channel))

    async def _resolve(self, timeout: float) -> tuple[str, int]:
        options = self._options
        found = await self._tools.resolver.resolve(
            self._host,
            prefer=options.preferred_ip_protocol,
            fallback=options.ip_protocol_fallback,
            timeout=timeout,
        )
        self._phases.append(("resolve", found.seconds))
        looked_up = lookup_values(found.address, found.version, found.seconds)
        for (name, _), value in zip(LOOKUP_SERIES, looked_up, strict=True):
            self._set(name, value)
        if found.error:
            raise _ProbeFailed(Reason.TIMEOUT if found.timed_out else Reason.DNS, found.error)
        self._log.append(f"{self._host} is {found.address}")
        if not self._tools.policy.allows(found.address):
            raise _ProbeFailed(Reason.POLICY, f"the outbound policy denies {found.address}")
        return found.address, found.version

    def _bind(self, sock: socket.socket) -> None:
        source = self._options.source_ip_address
        if source:
            try:
                sock.bind((source, 0))
            except OSError as error:
                raise _ProbeFailed(
                    Reason.CONFIG, f"cannot send from {source}: {_words(error)}"
                ) from None

    async def _connect(self, sock: socket.socket, address: tuple[str, int]) -> None:
        with self._phase("connect"):
            try:
                await asyncio.get_running_loop().sock_connect(sock, address)
            except TimeoutError:
                raise
            except OSError as error:
                raise _ProbeFailed(Reason.CONNECT, _words(error)) from None
        self._log.append(f"connected to {self._peer}")

    async def _secure(self, sock: socket.socket) -> TLSChannel:
        config = self._options.tls_config
        context = await _context_of(config)
        with self._phase("tls"):
            try:
                channel = TLSChannel(sock, context, config.server_name or self._host)
                await channel.handshake()
            except ssl.SSLError:
                raise
            except (ValueError, ConnectionError) as error:
                raise _ProbeFailed(Reason.TLS, f"handshake: {_words(error)}") from None
        self._log.append(f"speaking {channel.version}")
        return channel

    def _describe(self, channel: TLSChannel) -> None:
        try:
            chain = channel.chain()
            self._certificate = describe_certificate(chain[0])
            self._samples["tls"] = tls_samples(channel.version, chain, channel.verified_chain())
        except (InvalidInput, IndexError) as error:
            raise _ProbeFailed(Reason.TLS, f"unreadable certificate: {error}") from None

    async def _converse(self, sock: socket.socket, listener: "_Listener") -> None:
        for number, step in enumerate(self._options.query_response):
            self._log.append(f"step {number} of query_response")
            send = step.send
            try:
                if step.expect:
                    send = await self._expect(step, listener)
                if step.expect_bytes:
                    await self._expect_bytes(step.expect_bytes.encode(), listener)
            finally:
                self._heard = listener.heard
            if send:
                await listener.channel.send(send.encode(errors="surrogateescape") + b"\n")
            if step.starttls:
                channel = await self._secure(sock)
                listener = _Listener(channel)
                self._describe(channel)

    async def _expect(self, step: QueryResponse, listener: "_Listener") -> str:
        """Read lines until one matches; return what is then to be sent."""
        pattern = _compile(step.expect)
        while (line := await listener.line()) is not None:
            match = pattern.search(line)
            if match is None:
                continue
            self._set("probe_failed_due_to_regex", 0)
            if step.labels:
                self._samples["expect"] = [_expect_info(step, pattern, match)]
            return expand(step.send, match, pattern.groups, pattern.groupindex)
        self._set("probe_failed_due_to_regex", 1)
        raise _ProbeFailed(Reason.EXPECT, f"no line matched {step.expect!r}")

    async def _expect_bytes(self, expected: bytes, listener: "_Listener") -> None:
        heard = await listener.exactly(len(expected))
        if len(heard) < len(expected):
            raise _ProbeFailed(
                Reason.CLOSED, f"{len(heard)} bytes came where {len(expected)} were expected"
            )
        self._set("probe_failed_due_to_bytes", int(heard != expected))
        if heard != expected:
            raise _ProbeFailed(Reason.EXPECT, f"expected {expected!r}, got {heard!r}")

    def _set(self, name: str, value: float) -> None:
        self._samples[name] = [ProbeSample(name, float(value))]

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        clock = self._tools.clock
        started = clock.monotonic()
        try:
            yield
        finally:
            self._phases.append((name, clock.monotonic() - started))


class _Plain:
    """A connected socket as it is."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)


class _Listener:
    """Hears a peer line by line or byte by byte, never more than is bounded."""

    def __init__(self, channel: _Plain | TLSChannel) -> None:
        self.channel = channel
        self.heard = b""  # the end of what was said
        self._buffer = b""
        self._at = 0  # what stands before was taken
        self._total = 0

    async def line(self) -> bytes | None:
        """Return the next line without its end; None when the peer has no more to say."""
        scanned = 0
        while (end := self._buffer.find(b"\n", self._at + scanned)) < 0:
            scanned = len(self._buffer) - self._at
            if scanned >= _LONGEST_LINE:
                raise _ProbeFailed(Reason.SIZE, f"a line is longer than {_LONGEST_LINE} bytes")
            if not await self._more():
                return self._take(len(self._buffer)).removesuffix(b"\r") or None
        line = self._take(end)
        self._at += 1
        return line.removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """Return so many bytes, or fewer when the peer has no more."""
        while len(self._buffer) - self._at < count and await self._more():
            pass
        return self._take(min(self._at + count, len(self._buffer)))

    def _take(self, end: int) -> bytes:
        taken, self._at = self._buffer[self._at : end], end
        return taken

    async def _more(self) -> bool:
        data = await self.channel.receive()
        self._buffer, self._at = self._buffer[self._at :] + data, 0
        self._total += len(data)
        self.heard = (self.heard + data)[-EVIDENCE_BODY:]
        if self._total > _MOST_BYTES:
            raise _ProbeFailed(Reason.SIZE, f"the peer said more than {_MOST_BYTES} bytes")
        return bool(data)


async def _context_of(config: TLSConfig) -> ssl.SSLContext:
    try:
        return await tls_context(config)
    except (OSError, ValueError, ControlPlaneError) as error:
        raise _ProbeFailed(Reason.CONFIG, f"tls_config cannot be used: {_words(error)}") from None


def _expect_info(step: QueryResponse, pattern: _Pattern, match: Match) -> ProbeSample:
    expanded = [
        (label.name, expand(label.value, match, pattern.groups, pattern.groupindex))
        for label in step.labels
    ]
    readable = [
        (name, value.encode(errors="surrogateescape").decode(errors="replace"))
        for name, value in expanded
    ]
    return ProbeSample("probe_expect_info", 1.0, tuple(readable))


def _split(target: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[v6]:port`."""
    host, colon, port = target.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or (":" in bare and bare == host):
        raise _ProbeFailed(Reason.CONFIG, f"{target!r} is not host:port")
    try:
        number = int(port) if port.isascii() and port.isdigit() else socket.getservbyname(port)
    except OSError:
        number = -1
    if not 0 < number <= 0xFFFF:
        raise _ProbeFailed(Reason.CONFIG, f"{port!r} is not a port")
    return bare, number


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
