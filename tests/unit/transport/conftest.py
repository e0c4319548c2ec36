"""A client on the real engine, for every test here."""

from collections.abc import AsyncIterator

import pytest

from controlplane.clock import SystemClock
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client that may speak to everything but 127.9.9.9."""
    clock = SystemClock()
    engine, resolver = Engine(clock), StubResolver(clock)
    engine.start()
    made = Client(engine, resolver, OutboundPolicy(["127.9.9.9/32"]), clock)
    yield made
    await made.close()
    await engine.close()
    await resolver.close()
