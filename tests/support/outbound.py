"""What the program builds integrations with: libcurl, its resolver, its policy."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from controlplane.clock import SystemClock
from controlplane.notify.integrations.table import Surroundings
from controlplane.notify.rendering import Templates
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from tests.support.alerting import EXTERNAL_URL


@asynccontextmanager
async def surroundings(
    deny: Sequence[str] = (), *, hosts: str = "/etc/hosts"
) -> AsyncIterator[Surroundings]:
    """Run the program's own way out, which goes nowhere that `deny` names."""
    clock = SystemClock()
    engine, resolver = Engine(clock), StubResolver(clock, hosts=hosts)
    engine.start()
    client = Client(engine, resolver, OutboundPolicy(deny), clock)
    clients = HTTPClients(client)
    templates = Templates(external_url=EXTERNAL_URL)
    yield Surroundings(templates, clients.client, clients.connector, clients.dial, clients.guarded)
    await client.close()
    await engine.close()
    await resolver.close()
