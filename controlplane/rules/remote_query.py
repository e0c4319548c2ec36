"""Engines of `datasource` as rules see them."""

from controlplane.clock import Timestamp
from controlplane.promql.values import Scalar, Vector
from controlplane.telemetry.traces import span
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.options import Datasource


class EngineAnswers:
    """Implements `ports.RemoteQueries` over query APIs."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def __call__(self, engine: Datasource, expr: str, ts: Timestamp) -> Vector | Scalar:
        with span("datasource query", expr=expr):
            answer = await self._engines.engine(engine).instant(expr, ts)
        if answer.scalar:
            return Scalar(ts, float(answer.values[0]))
        return Vector(ts, answer.labels, answer.values)
