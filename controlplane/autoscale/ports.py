"""What autoscaling needs of others: values, a place for decisions, ways out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from controlplane.autoscale.decision import Decision
from controlplane.autoscale.options import Policy, WebhookOptions, WorkloadOptions
from controlplane.clock import Duration, Timestamp
from controlplane.model.alert import Alert
from controlplane.promql.values import Result, Scalar, Vector


class QueryFunc(Protocol):
    """Evaluates an expression at an instant, off the event loop. Raises ControlPlaneError.

    InvalidInput also for a result that is neither vector nor scalar.
    """

    async def __call__(self, expr: str, ts: Timestamp) -> Vector | Scalar: ...


class RangeFunc(Protocol):
    """Evaluates an expression over a range, on a thread that is not the event loop's.

    Raises ControlPlaneError.
    """

    def __call__(self, query: str, start: Timestamp, end: Timestamp, step: Duration) -> Result: ...


class DecisionStore(Protocol):
    """Keeps decisions. Each call has its own time-out. Raises Unavailable."""

    async def add(self, decision: Decision) -> None:
        """Keep one."""
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
