"""`/prometheus/api/v1/query`, `query_range`, `series`, `labels`, `label/<name>/values`."""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Request, Response

from controlplane.api.prometheus.encode import Json, encode_result, success
from controlplane.api.prometheus.parameters import Parameters, read_parameters
from controlplane.api.query_pool import Canceled
from controlplane.api.selectors import PARAMETER, selectors
from controlplane.api.surface import Surface, surface
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs
from controlplane.tsdb.ports import Querier

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])

# Upstream's bound on the points of one series.
_MAX_POINTS: Final = 11_000
_ESCAPED: Final = re.compile(r"(?<!_)_([0-9a-fA-F]{1,6})_(?!_)")

Given = Annotated[Parameters, Depends(read_parameters)]
On = Annotated[Surface, Depends(surface)]


@router.get("/query")
@router.post("/query")
async def query(request: Request, given: Given, on: On) -> Response:
    """Evaluate an expression at one instant."""
    text = _expression(given)
    time = given.time("time", on.clock.now())
    timeout, limit = _timeout(given, on), given.count("limit")

    def evaluate(canceled: Canceled) -> Json:
        result = on.engine.instant(text, time, timeout=timeout, limit=limit, canceled=canceled)
        return encode_result(result)

    return await on.queries.answer(request, evaluate)


@router.get("/query_range")
@router.post("/query_range")
async def query_range(request: Request, given: Given, on: On) -> Response:
    """Evaluate an expression at every step of a range."""
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

    def evaluate(canceled: Canceled) -> Json:
        result = on.engine.range(
            text, start, end, step, timeout=timeout, limit=limit, canceled=canceled
        )
        return encode_result(result)

    return await on.queries.answer(request, evaluate)


@router.get("/series")
@router.post("/series")
async def series(request: Request, given: Given, on: On) -> Response:
    """Return the label sets of the series that match."""
    wanted, limit = _selectors(given, on), given.count("limit")
    if not wanted:
        raise InvalidInput("no match[] parameter provided", pointer=f"?{PARAMETER}")

    def collect(_canceled: Canceled) -> Json:
        querier = on.store.querier()
        found = sorted(querier.labels(refs_of(querier, wanted)))
        return _cut([dict(labels) for labels in found], limit)

    return await on.queries.answer(request, collect)


@router.get("/labels")
@router.post("/labels")
async def labels(request: Request, given: Given, on: On) -> Response:
    """Return the names of labels."""
    wanted, limit = _selectors(given, on), given.count("limit")

    def collect(_canceled: Canceled) -> Json:
        querier = on.store.querier()
        if not wanted:
            names = sorted(querier.label_names())
        else:
            found = querier.labels(refs_of(querier, wanted))
            names = sorted({name for labels in found for name in labels})
        return _cut(names, limit)

    return await on.queries.answer(request, collect)


@router.get("/label/{name}/values")
async def label_values(name: str, request: Request, given: Given, on: On) -> Response:
    """Return the values of one label."""
    wanted, limit = _selectors(given, on), given.count("limit")
    label = unescape_label_name(name)

    def collect(_canceled: Canceled) -> Json:
        querier = on.store.querier()
        if not wanted:
            values = sorted(querier.label_values(label))
        else:
            found = querier.labels(refs_of(querier, wanted))
            values = sorted({labels[label] for labels in found if label in labels})
        return _cut(values, limit)

    return await on.queries.answer(request, collect)


def refs_of(querier: Querier, selectors: Sequence[Sequence[Matcher]]) -> Refs:
    """Return the numbers of the series that fulfil any of the selectors, rising."""
    refs: Refs = np.unique(np.concatenate([querier.select(each) for each in selectors]))
    return refs


def unescape_label_name(name: str) -> str:
    """Return the label name behind upstream's `U__` escaping (`U__a_2e_b` is `a.b`).

    Raises InvalidInput where the escaping is broken.
    """
    if not name.startswith("U__"):
        return name
    parts = _ESCAPED.split(name[3:])
    try:
        text = "".join(
            part.replace("__", "_") if place % 2 == 0 else chr(int(part, 16))
            for place, part in enumerate(parts)
        )
    except (ValueError, OverflowError):
        raise InvalidInput(f"invalid label name: {name!r}") from None
    return text


def _cut(found: Sequence[object], limit: int) -> Json:
    """Return the first `limit` (0: all), with upstream's warning when more were there."""
    if not limit or len(found) <= limit:
        return success(found)
    return success(found[:limit], warnings=["results truncated due to limit"])


def _check_range(given: Parameters, now: Timestamp) -> None:
    """Refuse a range that is none; all that the store still knows is answered with."""
    start, end = given.time("start", 0), given.time("end", now)
    if end < start:
        reason = 'invalid parameter "end": end timestamp must not be before start time'
        raise InvalidInput(reason, pointer="?end")


def _expression(given: Parameters) -> str:
    text = given.text("query")
    if not text:
        raise InvalidInput('invalid parameter "query": no expression given', pointer="?query")
    return text


def _timeout(given: Parameters, on: Surface) -> Duration:
    longest = on.engine.options.timeout
    return min(longest, given.duration("timeout")) if given.text("timeout") else longest


def _selectors(given: Parameters, on: Surface) -> Sequence[Sequence[Matcher]]:
    _check_range(given, on.clock.now())
    return selectors(given.all(PARAMETER))
