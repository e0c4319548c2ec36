"""Expressions that a page asks for, within the bounds that the query API has."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from controlplane.api.query_pool import Canceled
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY, HOUR, MINUTE, SECOND
from controlplane.promql.values import Result
from controlplane.tsdb.remote.engines import Engine as RemoteEngine
from controlplane.ui.console import Page
from controlplane.ui.elsewhere import read_result
from controlplane.ui.shelves import RANGES

# As the query API has it.
MOST_POINTS: Final = 11_000
_WANTED_POINTS: Final = 240
_OK: Final = 200
# Steps that people think in.
_STEPS: Final = (
    *(SECOND * count for count in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(HOUR * count for count in (1, 2, 3, 6, 12)),
    DAY,
)


def step_for(span: Duration) -> Duration:
    """Return a step in which a span has about as many points as there are places for them."""
    least = span / _WANTED_POINTS
    return next((step for step in _STEPS if step >= least), math.ceil(least / DAY) * DAY)


async def at_instant(page: Page, expr: str, time: Timestamp) -> Result:
    """Return what an expression gives at an instant.

    It is answered by the engine that the file names, or by our own. Raises
    ParseError, EvaluationError, DeadlineExceeded, Overloaded, Unavailable.
    """
    engine = page.on.elsewhere()
    if engine is not None:
        wanted = {"query": (expr,), "time": (_seconds(time),)}
        return await _asked(engine, "/api/v1/query", wanted, time)

    def evaluate(canceled: Canceled) -> Result:
        return page.on.engine.instant(expr, time, canceled=canceled)

    return await page.on.queries.watched(page.request, evaluate)


async def over_range(
    page: Page, expr: str, start: Timestamp, end: Timestamp, step: Duration
) -> Result:
    """Return what an expression gives from `start` to `end`; the value is a Matrix.

    Instants are multiples of the step, so that a reload draws the same points,
    and readers within one step share them.
    Raises as `at_instant`, and InvalidInput for too many points.
    """
    if step <= 0:
        raise InvalidInput("the step must be longer than nothing", pointer="?step")
    start, end = start // step * step, end // step * step
    if (end - start) // step > MOST_POINTS:
        raise InvalidInput(
            f"more than {MOST_POINTS} points for each series: make the step longer",
            pointer="?step",
        )
    shelf = replace(RANGES, ttl=min(RANGES.ttl, step))
    engine, key = page.on.elsewhere(), f"{start} {end} {step} {expr}"
    if engine is not None:
        source, ask = engine.datasource, partial(_asked_range, engine, expr, start, end, step)
        place = f"{source.url} {sorted(source.params.items())} {key}"
        body = await page.on.cache.shared(shelf, place, ask)
        return await asyncio.to_thread(read_result, _OK, body, end)

    def evaluate(canceled: Canceled) -> Result:
        return page.on.engine.range(expr, start, end, step, canceled=canceled)

    return await page.on.cache.get(
        shelf, key, lambda: page.on.queries.watched(page.request, evaluate)
    )


async def _asked_range(
    engine: RemoteEngine, expr: str, start: Timestamp, end: Timestamp, step: Duration
) -> bytes:
    """Return the body of a good answer; raises what any other one says."""
    wanted = {
        "query": (expr,),
        "start": (_seconds(start),),
        "end": (_seconds(end),),
        "step": (_seconds(step),),
    }
    response = await engine.post("/api/v1/query_range", wanted)
    if response.status != _OK:
        await asyncio.to_thread(read_result, response.status, response.body, end)
    return response.body


async def _asked(
    engine: RemoteEngine, path: str, wanted: Mapping[str, tuple[str, ...]], time: Timestamp
) -> Result:
    response = await engine.post(path, wanted)
    return await asyncio.to_thread(read_result, response.status, response.body, time)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"
