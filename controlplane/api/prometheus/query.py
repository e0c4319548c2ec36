"""`/prometheus/api/v1/query`, `query_range`, `series`, `labels`, `label/<name>/values`."""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends

from controlplane.api.prometheus.encode import Json, encode_result, success
from controlplane.api.prometheus.parameters import Parameters, read_parameters
from controlplane.api.surface import Surface, surface
from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs
from controlplane.promql.parser import parse_selector
from controlplane.tsdb.ports import Querier

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])

_METHODS: Final = ["GET", "POST"]
# Upstream's bound on the points of one series.
_MAX_POINTS: Final = 11_000
_LONGEST_QUERY: Final[Duration] = 2 * 60 * 1000
_ESCAPED: Final = re.compile(r"(?<!_)_([0-9a-fA-F]{1,6})_(?!_)")

Given = Annotated[Parameters, Depends(read_parameters)]
On = Annotated[Surface, Depends(surface)]


@router.api_route("/query", methods=_METHODS)
async def query(given: Given, on: On) -> Json:
    """Evaluate an expression at one instant."""
    text = _expression(given)
    time = given.time("time", on.clock.now())
    timeout = _timeout(given)
    return encode_result(
        await on.queries.run(lambda: on.engine.instant(text, time, timeout=timeout))
    )


@router.api_route("/query_range", methods=_METHODS)
async def query_range(given: Given, on: On) -> Json:
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
    text, timeout = _expression(given), _timeout(given)
    return encode_result(
        await on.queries.run(lambda: on.engine.range(text, start, end, step, timeout=timeout))
    )


@router.api_route("/series", methods=_METHODS)
async def series(given: Given, on: On) -> Json:
    """Return the label sets of the series that match."""
    selectors = _selectors(given)
    if not selectors:
        raise InvalidInput("no match[] parameter provided", pointer="?match[]")
    limit = given.count("limit")

    def collect() -> list[dict[str, str]]:
        querier = on.store.querier()
        found = sorted(querier.labels(refs_of(querier, selectors)))
        return [dict(labels) for labels in (found[:limit] if limit else found)]

    return success(await on.queries.run(collect))


@router.api_route("/labels", methods=_METHODS)
async def labels(given: Given, on: On) -> Json:
    """Return the names of labels."""
    selectors, limit = _selectors(given), given.count("limit")

    def collect() -> list[str]:
        querier = on.store.querier()
        if not selectors:
            names = sorted(querier.label_names())
        else:
            found = querier.labels(refs_of(querier, selectors))
            names = sorted({name for labels in found for name in labels})
        return names[:limit] if limit else names

    return success(await on.queries.run(collect))


@router.get("/label/{name}/values")
async def label_values(
    name: str,
    given: Given,
    on: On,
) -> Json:
    """Return the values of one label."""
    selectors, limit = _selectors(given), given.count("limit")
    wanted = unescape_label_name(name)

    def collect() -> list[str]:
        querier = on.store.querier()
        if not selectors:
            values = sorted(querier.label_values(wanted))
        else:
            found = querier.labels(refs_of(querier, selectors))
            values = sorted({labels[wanted] for labels in found if wanted in labels})
        return values[:limit] if limit else values

    return success(await on.queries.run(collect))


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


def _expression(given: Parameters) -> str:
    text = given.text("query")
    if not text:
        raise InvalidInput('invalid parameter "query": no expression given', pointer="?query")
    return text


def _timeout(given: Parameters) -> Duration:
    if not given.text("timeout"):
        return _LONGEST_QUERY
    return min(_LONGEST_QUERY, given.duration("timeout"))


def _selectors(given: Parameters) -> list[Sequence[Matcher]]:
    return [parse_selector(text) for text in given.all("match[]")]
