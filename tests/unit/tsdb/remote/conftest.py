"""A store with a log, a way out, and remote writes over both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.clock import SystemClock
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from tests.unit.tsdb.remote.world import World


@pytest.fixture
async def clients() -> AsyncIterator[HTTPClients]:
    """HTTP clients over an engine of their own."""
    clock = SystemClock()
    resolver, engine = StubResolver(clock), Engine(clock)
    engine.start()
    client = Client(engine, resolver, OutboundPolicy(("10.0.0.0/8",)), clock)
    yield HTTPClients(client)
    await client.close()
    await engine.close()
    await resolver.close()


@pytest.fixture
async def world(tmp_path: Path, clients: HTTPClients) -> AsyncIterator[World]:
    """A store in a directory, sending to nobody yet."""
    found = World(tmp_path, clients)
    yield found
    await found.close()
