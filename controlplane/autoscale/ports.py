"""What autoscaling needs of others: values, a place for decisions, ways out."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from controlplane.autoscale.decision import Decision
from controlplane.autoscale.options import Policy, WebhookOptions, WorkloadOptions
from controlplane.autoscale.owned import Sent
from controlplane.clock import Duration, Timestamp
from controlplane.model.alert import Alert
from controlplane.model.fence import Fence
from controlplane.promql.values import Result, Scalar, Vector


class QueryFunc(Protocol):
    """Evaluates an expression of a policy at an instant, by the engine that is the policy's.

    Raises ControlPlaneError; InvalidInput also for a result that is neither
    vector nor scalar.
    """

    async def __call__(self, policy: Policy, expr: str, ts: Timestamp) -> Vector | Scalar: ...


class RangeFunc(Protocol):
    """Evaluates an expression of a policy over a range, by the engine that is the policy's.

    Raises ControlPlaneError.
    """

    async def __call__(
        self, policy: Policy, expr: str, start: Timestamp, end: Timestamp, step: Duration
    ) -> Result: ...


class PolicyRepository(Protocol):
    """Keeps what the API was sent. Each call has its own time-out. Raises Unavailable."""

    async def load(self) -> Sequence[Sent]:
        """Return all, by name."""
        ...

    async def save(self, sent: Sent) -> None:
        """Keep one in the place of what has its name."""
        ...

    async def delete(self, name: str) -> None:
        """Keep one no more."""
        ...


class DecisionStore(Protocol):
    """Keeps decisions. Each call has its own time-out. Raises Unavailable."""

    async def add(self, decision: Decision, fence: Fence) -> None:
        """Keep one. Raises Fenced when its policy has become another replica's since.

        With a fence it is also what the policy says now, to other replicas.
        """
        ...

    async def renew(self, decision: Decision, fence: Fence) -> None:
        """Keep one that repeats the last only as what its policy says now. Raises Fenced."""
        ...

    async def current(self, policies: Collection[str] | None = None) -> Sequence[Decision]:
        """Return what policies say now, of all or of some, where several replicas have any."""
        ...

    async def confirm(self, fence: Fence) -> None:
        """Return when what a fence asks for still holds. Raises Fenced."""
        ...

    async def latest(self) -> Sequence[Decision]:
        """Return the newest of each policy."""
        ...

    async def list(
        self, policy: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, Decision]]:
        """Return decisions of a policy with their numbers, the newest first, below `before`."""
        ...


class Scales(Protocol):
    """The scale subresource of workloads. Raises ControlPlaneError."""

    async def read(self, workload: WorkloadOptions) -> int:
        """Return how many replicas are asked for."""
        ...

    async def write(self, workload: WorkloadOptions, replicas: int) -> None:
        """Ask for so many replicas."""
        ...


class Hook(Protocol):
    """Tells somebody to scale. Raises ControlPlaneError unless it was accepted."""

    async def __call__(
        self, webhook: WebhookOptions, policy: Policy, decision: Decision
    ) -> None: ...


# Takes alerts; returns once they are durably accepted. Raises ControlPlaneError.
Tell = Callable[[Sequence[Alert]], Awaitable[None]]
