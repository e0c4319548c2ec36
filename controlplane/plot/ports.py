"""What drawing needs of others: values of an expression over time."""

from typing import Protocol

from controlplane.clock import Duration, Timestamp
from controlplane.promql.engine import Canceled
from controlplane.promql.values import Result


class RangeQuery(Protocol):
    """Evaluates an expression over a range (`Engine.range`). Raises ControlPlaneError."""

    def __call__(
        self,
        query: str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
        *,
        timeout: Duration | None = None,
        canceled: Canceled | None = None,
    ) -> Result: ...
