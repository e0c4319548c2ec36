"""Servers that speak as they are told, and the tools to probe them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import trustme

from controlplane.clock import SystemClock
from controlplane.probes.outcome import Outcome
from controlplane.probes.prober import Tools
from controlplane.transport.client import Client
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import Resolution, Resolver

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; yields the port. A talk that breaks off is nobody's fault."""

    talks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        # Whoever was probed may still have to read what came last.
        await asyncio.wait([task for task in talks if task is not None] or [_nothing()], timeout=2)


def _nothing() -> asyncio.Task[None]:
    return asyncio.ensure_future(asyncio.to_thread(lambda: None))


class FixedResolver:
    """Answers as it is told; a name that it does not know is an error."""

    def __init__(self, **addresses: str) -> None:
        self._addresses = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", **addresses}
        self.asked: list[tuple[str, str, bool]] = []

    async def resolve(
        self, host: str, *, prefer: str = "ip6", fallback: bool = True, timeout: float
    ) -> Resolution:
        self.asked.append((host, prefer, fallback))
        address = self._addresses.get(host, "")
        if not address:
            return Resolution("", 0, 0.002, error="no such name")
        return Resolution(address, 6 if ":" in address else 4, 0.001)


def tools(resolver: FixedResolver | None = None, *, verbose: bool = False) -> Tools:
    """Return what the tcp prober uses; it asks no HTTP client."""
    return Tools(
        client=cast(Client, None),
        resolver=cast(Resolver, resolver or FixedResolver()),
        policy=OutboundPolicy(),
        clock=SystemClock(),
        verbose=verbose,
    )


def values(outcome: Outcome) -> dict[str, float]:
    """Return the samples by name and labels."""
    return {
        sample.name + "".join(f"|{name}={value}" for name, value in sample.labels): sample.value
        for sample in outcome.samples()
    }


class Authority:
    """A certificate authority, its file, and server contexts for its names."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.file = directory / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.file))

    def context(self, *names: str, client_ca: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
        if client_ca:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
