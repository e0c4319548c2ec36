"""How the outside is reached: one policy, one resolver, one transport for all who ask."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.clock import Clock
from controlplane.config.config import Config
from controlplane.probes.prober import Tools
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine as Transport
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.metrics import EngineMetrics
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.metrics import DatasourceMetrics


@dataclass(frozen=True, slots=True)
class Outside:
    """What sends requests: probes and scrapes by `tools`, all others by `clients`."""

    policy: OutboundPolicy
    client: Client
    clients: HTTPClients
    tools: Tools
    engines: Engines


def build_outside(
    config: Config, *, clock: Clock, registry: CollectorRegistry, stack: AsyncExitStack
) -> Outside:
    """Make and start it; leaving `stack` ends it."""
    policy = OutboundPolicy(config.outbound.deny)
    resolver = StubResolver(clock)
    stack.push_async_callback(resolver.close)
    transport = Transport(clock)
    transport.start()
    EngineMetrics(registry, transport)
    stack.push_async_callback(transport.close)
    client = Client(transport, resolver, policy, clock)
    stack.push_async_callback(client.close)
    clients = HTTPClients(client)
    engines = Engines(clients, clock=clock, metrics=DatasourceMetrics(registry))
    stack.push_async_callback(engines.close)
    return Outside(policy, client, clients, Tools(client, resolver, policy, clock), engines)
