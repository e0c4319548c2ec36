"""The http prober on the real engine, asked once, and its outcome as a table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from controlplane.clock import SystemClock
from controlplane.probes.once import probe_once
from controlplane.probes.options import HTTPProbe, Module
from controlplane.probes.outcome import Outcome
from controlplane.probes.prober import Tools
from controlplane.probes.table import PROBERS
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver

# The one address that no probe of a test may speak to.
DENIED = "127.9.9.9"


def module(client: HTTPClientConfig | None = None, **http: Any) -> Module:
    """Return an http module of the given keys."""
    return Module("http", http=HTTPProbe(http_client_config=client or HTTPClientConfig(), **http))


@dataclass(slots=True)
class Rig:
    """Probes on demand."""

    tools: Tools

    async def probe(
        self, target: str, asked: Module | None = None, seconds: float = 5.0
    ) -> Outcome:
        """Return the outcome of one probe, with its evidence."""
        used = asked or module()
        return (await probe_once(self.tools, PROBERS, target, "m", used, timeout=seconds)).outcome


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Run an engine and a resolver of its own."""
    clock = SystemClock()
    engine, resolver, policy = Engine(clock), StubResolver(clock), OutboundPolicy([f"{DENIED}/32"])
    engine.start()
    client = Client(engine, resolver, policy, clock)
    try:
        yield Rig(Tools(client, resolver, policy, clock))
    finally:
        await client.close()
        await engine.close()
        await resolver.close()


def values(outcome: Outcome) -> dict[str, float]:
    """Return the samples by name, with the values of labels where there are any."""
    return {
        sample.name + "".join(f" {value}" for _, value in sample.labels): sample.value
        for sample in outcome.samples()
    }
