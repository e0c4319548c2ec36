"""The PromQL engine as rules see it."""

from collections.abc import Sequence

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.samples import Refs
from controlplane.promql.engine import Engine
from controlplane.promql.values import Scalar, Vector
from controlplane.tsdb.ports import Querier


class EngineQueries:
    """Implements `ports.Queries` over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, expr: str, ts: Timestamp) -> Vector | Scalar:
        value = self._engine.instant(expr, ts).value
        if isinstance(value, Vector | Scalar):
            return value
        raise InvalidInput("rule result is not a vector or scalar")

    def reads(self, expr: str, querier: Querier) -> Sequence[Refs]:
        return self._engine.prepare(expr).refs(querier)
