"""What an autoscaler lives in, played by a test: values, a store, scales, a hook."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.autoscale.autoscaler import Autoscaler, key_of
from controlplane.autoscale.decision import Decision
from controlplane.autoscale.metrics import AutoscaleMetrics
from controlplane.autoscale.options import Policy, WebhookOptions, WorkloadOptions
from controlplane.clock import Timestamp
from controlplane.errors import ControlPlaneError, Unavailable
from controlplane.model.alert import Alert
from controlplane.model.fence import Fence
from controlplane.model.labels import EMPTY
from controlplane.model.share import WHOLE
from controlplane.promql.values import Scalar, Vector
from tests.support.clock import ManualClock
from tests.support.share import SettableShare


def vector(*values: float) -> Vector:
    """Return a vector of so many series."""
    return Vector(0, [EMPTY] * len(values), np.array(values, dtype=np.float64))


@dataclass
class World:
    """Answers queries by their text; what is not there gives no series."""

    values: dict[str, float | ControlPlaneError] = field(default_factory=dict)
    stored: list[Decision] = field(default_factory=list)
    states: dict[str, Decision] = field(default_factory=dict)
    scaled: list[tuple[str, int]] = field(default_factory=list)
    hooked: list[Decision] = field(default_factory=list)
    told: list[Alert] = field(default_factory=list)
    replicas: int | ControlPlaneError = 4
    database: ControlPlaneError | None = None
    refusal: ControlPlaneError | None = None
    elsewhere: set[str] = field(default_factory=set)
    alone: bool = False
    unreadable: ControlPlaneError | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def autoscaler(self, *policies: Policy) -> Autoscaler:
        """Return an autoscaler with policies."""
        made = Autoscaler(
            self.query,
            self,
            self,
            self.hook,
            self.tell,
            clock=self.clock,
            metrics=AutoscaleMetrics(self.registry),
            external_url="http://cp/",
            share=WHOLE if self.alone else SettableShare(self._is_here),
        )
        made.configure(policies)
        return made

    def _is_here(self, key: str) -> bool:
        return key not in {key_of(name) for name in self.elsewhere}

    def value(self, name: str, **labels: str) -> float | None:
        """Return a metric of the autoscaler."""
        return self.registry.get_sample_value(f"controlplane_autoscaling_{name}", labels)

    async def query(self, policy: Policy, expr: str, ts: Timestamp) -> Vector | Scalar:
        found = self.values.get(expr)
        if isinstance(found, ControlPlaneError):
            raise found
        return vector() if found is None else vector(found)

    async def add(self, decision: Decision, fence: Fence) -> None:
        await self.renew(decision, fence)
        self.stored.append(decision)

    async def renew(self, decision: Decision, fence: Fence) -> None:
        await self.confirm(fence)
        if fence:
            self.states[decision.policy] = decision

    async def current(self, policies: Collection[str] | None = None) -> Sequence[Decision]:
        return [
            each for each in self.states.values() if policies is None or each.policy in policies
        ]

    async def confirm(self, fence: Fence) -> None:
        if self.database is not None:
            raise self.database

    async def latest(self) -> Sequence[Decision]:
        return list({each.policy: each for each in self.stored}.values())

    async def list(
        self, policy: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, Decision]]:
        if self.unreadable is not None:
            raise self.unreadable
        found = [(n, each) for n, each in enumerate(self.stored) if each.policy == policy]
        return found[::-1][:limit]

    async def read(self, workload: WorkloadOptions) -> int:
        if isinstance(self.replicas, ControlPlaneError):
            raise self.replicas
        return self.replicas

    async def write(self, workload: WorkloadOptions, replicas: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.scaled.append((str(workload), replicas))
        self.replicas = replicas

    async def hook(self, webhook: WebhookOptions, policy: Policy, decision: Decision) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.hooked.append(decision)

    async def tell(self, alerts: Sequence[Alert]) -> None:
        self.told += alerts


DOWN = Unavailable("it does not answer")
