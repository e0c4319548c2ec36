"""Autoscaling, made, wired and put in force."""

from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from controlplane.api.query_pool import QueryPool
from controlplane.app.supervisor import Supervisor
from controlplane.autoscale.autoscaler import Autoscaler
from controlplane.autoscale.external_scaler import ExternalScaler
from controlplane.autoscale.kubernetes import KubernetesScales
from controlplane.autoscale.metrics import AutoscaleMetrics
from controlplane.autoscale.options import ExternalScalerOptions
from controlplane.autoscale.ports import QueryFunc, Tell
from controlplane.autoscale.webhook import Webhook
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.errors import InvalidInput
from controlplane.promql.engine import Engine
from controlplane.promql.values import Scalar, Vector
from controlplane.storage.autoscaling import SqlDecisions
from controlplane.storage.database import Database
from controlplane.transport.http_client import HTTPClients


@dataclass(frozen=True, slots=True)
class Scaling:
    """The policies' loop, and the ways in and out that have connections of their own."""

    autoscaler: Autoscaler
    external: ExternalScaler
    scales: KubernetesScales
    options: ExternalScalerOptions

    async def begin(self, config: Config) -> None:
        """Take up what was decided, and listen for KEDA. Raises Conflict, Unavailable."""
        await self.autoscaler.load()
        self.change(config)
        if self.options.listen:
            await self.external.start(self.options)

    def change(self, config: Config) -> None:
        """Put other policies in force."""
        self.autoscaler.configure(config.autoscaling)

    def start(self, supervisor: Supervisor) -> None:
        """Set the loop in motion."""
        supervisor.start("autoscaling", self.autoscaler.run)

    async def close(self) -> None:
        """Let go of every connection."""
        await self.external.close()
        await self.scales.close()


def build_scaling(
    config: Config,
    database: Database,
    engine: Engine,
    queries: QueryPool,
    clients: HTTPClients,
    tell: Tell,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    external_url: str,
) -> Scaling:
    """Make the parts. `tell` takes the alerts that something was scaled."""
    scales = KubernetesScales()
    query: QueryFunc = partial(_evaluate, engine, queries)
    autoscaler = Autoscaler(
        query,
        SqlDecisions(database),
        scales,
        Webhook(clients.client, clock),
        tell,
        clock=clock,
        metrics=AutoscaleMetrics(registry),
        external_url=external_url,
    )
    return Scaling(autoscaler, ExternalScaler(autoscaler), scales, config.external_scaler)


async def _evaluate(
    engine: Engine, queries: QueryPool, expr: str, ts: Timestamp
) -> Vector | Scalar:
    value = (await queries.run(partial(engine.instant, expr, ts))).value
    if isinstance(value, Vector | Scalar):
        return value
    raise InvalidInput("the query gives neither a vector nor a scalar")
