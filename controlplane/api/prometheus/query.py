"""`/prometheus/api/v1/query`, `query_range`: expressions evaluated."""

from typing import Final

from fastapi import APIRouter, Request, Response

from controlplane.api.prometheus.elsewhere import forwarded
from controlplane.api.prometheus.parameters import Given, Parameters
from controlplane.api.prometheus.render import render_result
from controlplane.api.query_pool import Canceled
from controlplane.api.surface import On, Surface
from controlplane.clock import Duration
from controlplane.errors import InvalidInput

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])

# Upstream's bound on the points of one series.
_MAX_POINTS: Final = 11_000


@router.get("/query")
@router.post("/query")
async def query(request: Request, given: Given, on: On) -> Response:
    """Evaluate an expression at one instant."""
    if (engine := on.elsewhere()) is not None:
        return await forwarded(engine, "/api/v1/query", given)
    text = _expression(given)
    time = given.time("time", on.clock.now())
    timeout, limit = _timeout(given, on), given.count("limit")

    def evaluate(canceled: Canceled) -> bytes:
        result = on.engine.instant(text, time, timeout=timeout, limit=limit, canceled=canceled)
        return render_result(result)

    return await on.queries.answer(request, evaluate)


@router.get("/query_range")
@router.post("/query_range")
async def query_range(request: Request, given: Given, on: On) -> Response:
    """Evaluate an expression at every step of a range."""
    if (engine := on.elsewhere()) is not None:
        return await forwarded(engine, "/api/v1/query_range", given)
    start, end, step = given.time("start"), given.time("end"), given.duration("step")
    if end < start:
        raise InvalidInput(
            'invalid parameter "end": end timestamp must not be before start time',
            pointer="?end",
        )
    if step <= 0:
        raise InvalidInput(
            'invalid parameter "step": zero or negative query resolution step widths are '
            "not accepted. Try a positive integer",
            pointer="?step",
        )
    if (end - start) // step > _MAX_POINTS:
        raise InvalidInput(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
            "query resolution (?step=XX)",
            pointer="?step",
        )
    text, timeout, limit = _expression(given), _timeout(given, on), given.count("limit")

    def evaluate(canceled: Canceled) -> bytes:
        result = on.engine.range(
            text, start, end, step, timeout=timeout, limit=limit, canceled=canceled
        )
        return render_result(result)

    return await on.queries.answer(request, evaluate)


def _expression(given: Parameters) -> str:
    text = given.text("query")
    if not text:
        raise InvalidInput('invalid parameter "query": no expression given', pointer="?query")
    return text


def _timeout(given: Parameters, on: Surface) -> Duration:
    longest = on.engine.options.timeout
    return min(longest, given.duration("timeout")) if given.text("timeout") else longest
