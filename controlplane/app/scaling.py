"""Autoscaling, made, wired and put in force."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from controlplane.api.query_pool import QueryPool
from controlplane.app.supervisor import Supervisor
from controlplane.autoscale.autoscaler import Autoscaler
from controlplane.autoscale.external_scaler import ExternalScaler
from controlplane.autoscale.kubernetes import KubernetesScales
from controlplane.autoscale.metrics import AutoscaleMetrics
from controlplane.autoscale.options import LOCAL, Policy
from controlplane.autoscale.policies import Policies
from controlplane.autoscale.ports import Tell
from controlplane.autoscale.webhook import Webhook
from controlplane.clock import Clock, Duration, Timestamp
from controlplane.config.autoscaling import policy_of
from controlplane.config.config import Config
from controlplane.errors import InvalidInput
from controlplane.model.share import WHOLE, Share
from controlplane.promql.engine import Engine
from controlplane.promql.values import Result, Scalar, Vector
from controlplane.storage.autoscaling import SqlDecisions, SqlPolicies
from controlplane.storage.database import Database
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.remote.engines import Engine as RemoteEngine
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.options import Datasource
from controlplane.ui.elsewhere import read_result


@dataclass(slots=True)
class Questions:
    """Asks for policies: our own engine, or the one that the policy or the file names."""

    engine: Engine
    queries: QueryPool
    engines: Engines
    datasource: Datasource | None = None

    async def instant(self, policy: Policy, expr: str, ts: Timestamp) -> Vector | Scalar:
        """Implement autoscale.ports.QueryFunc."""
        elsewhere = self._elsewhere(policy)
        if elsewhere is not None:
            answer = await elsewhere.instant(expr, ts)
            if answer.scalar:
                return Scalar(ts, float(answer.values[0]))
            return Vector(ts, answer.labels, answer.values)
        value = (await self.queries.run(partial(self.engine.instant, expr, ts))).value
        if isinstance(value, Vector | Scalar):
            return value
        raise InvalidInput("the query gives neither a vector nor a scalar")

    async def range(
        self, policy: Policy, expr: str, start: Timestamp, end: Timestamp, step: Duration
    ) -> Result:
        """Implement autoscale.ports.RangeFunc."""
        elsewhere = self._elsewhere(policy)
        if elsewhere is None:
            return await self.queries.run(partial(self.engine.range, expr, start, end, step))
        wanted: Mapping[str, Sequence[str]] = {
            "query": (expr,),
            "start": (f"{start / 1000:.3f}",),
            "end": (f"{end / 1000:.3f}",),
            "step": (f"{step / 1000:.3f}",),
        }
        response = await elsewhere.post("/api/v1/query_range", wanted)
        return await asyncio.to_thread(read_result, response.status, response.body, end)

    def _elsewhere(self, policy: Policy) -> RemoteEngine | None:
        if policy.datasource == LOCAL:
            return None
        source = policy.datasource or self.datasource
        return self.engines.engine(source) if isinstance(source, Datasource) else None


@dataclass(frozen=True, slots=True)
class Scaling:
    """The policies' loop, and the ways in and out that have connections of their own."""

    autoscaler: Autoscaler
    policies: Policies
    external: ExternalScaler
    scales: KubernetesScales
    questions: Questions

    async def begin(self, config: Config) -> None:
        """Take up what was decided, and listen for KEDA. Raises Conflict, Unavailable."""
        await self.autoscaler.load()
        await self.policies.load()
        self.change(config)
        await self.listen(config)

    async def listen(self, config: Config) -> None:
        """Listen for KEDA as the file says. Raises Conflict, Unavailable, InvalidInput."""
        await self.external.follow(config.external_scaler)

    def change(self, config: Config) -> None:
        """Put other policies in force."""
        self.questions.datasource = config.datasource
        self.policies.configure(config.autoscaling)

    def datasources(self) -> Sequence[Datasource]:
        """Return the engines that policies name."""
        named = [each.policy.datasource for each in self.policies]
        return [each for each in named if isinstance(each, Datasource)]

    def start(self, supervisor: Supervisor) -> None:
        """Set the loop in motion."""
        supervisor.start("autoscaling", self.autoscaler.run)

    async def close(self) -> None:
        """Let go of every connection."""
        await self.external.close()
        await self.scales.close()


def build_scaling(
    database: Database,
    questions: Questions,
    clients: HTTPClients,
    tell: Tell,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    external_url: str,
    share: Share = WHOLE,
) -> Scaling:
    """Make the parts. `tell` takes the alerts that something was scaled.

    `share` has the policies that this replica evaluates.
    """
    scales = KubernetesScales()
    autoscaler = Autoscaler(
        questions.instant,
        SqlDecisions(database),
        scales,
        Webhook(clients.client, clock),
        tell,
        clock=clock,
        metrics=AutoscaleMetrics(registry),
        external_url=external_url,
        share=share,
    )
    policies = Policies(SqlPolicies(database), policy_of, autoscaler.configure)
    return Scaling(autoscaler, policies, ExternalScaler(autoscaler), scales, questions)
