"""`/prometheus/api/v1/series`, `labels`, `label/<name>/values`: which series there are.

Where queries are answered by an engine elsewhere these are too: a variable of a dashboard has
to offer what its queries find, at each of several replicas.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Request, Response

from controlplane.api.prometheus.elsewhere import forwarded
from controlplane.api.prometheus.encode import Json, success
from controlplane.api.prometheus.parameters import Given, Parameters
from controlplane.api.query_pool import Canceled
from controlplane.api.selectors import PARAMETER, selectors
from controlplane.api.surface import On
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Mask, Refs
from controlplane.tsdb.ports import Querier, Queryable

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])

_ESCAPED: Final = re.compile(r"(?<!_)_([0-9a-fA-F]{1,6})_(?!_)")
# Beyond all instants that a store holds, and safe to subtract.
_FURTHEST: Final[Timestamp] = 2**53


@router.get("/series")
@router.post("/series")
async def series(request: Request, given: Given, on: On) -> Response:
    """Return the label sets of the series that match."""
    if (engine := on.elsewhere()) is not None:
        return await forwarded(engine, "/api/v1/series", given)
    asked = Asked.read(given)
    if not asked.selectors:
        raise InvalidInput("no match[] parameter provided", pointer=f"?{PARAMETER}")

    def collect(_canceled: Canceled) -> Json:
        found = sorted(asked.labels(asked.reached(on.store)))
        return asked.cut([dict(labels) for labels in found])

    return await on.queries.answer(request, collect)


@router.get("/labels")
@router.post("/labels")
async def labels(request: Request, given: Given, on: On) -> Response:
    """Return the names of labels."""
    if (engine := on.elsewhere()) is not None:
        return await forwarded(engine, "/api/v1/labels", given)
    asked = Asked.read(given)

    def collect(_canceled: Canceled) -> Json:
        querier = asked.reached(on.store)
        if asked.takes_all(querier):
            return asked.cut(sorted(querier.label_names()))
        return asked.cut(sorted({name for each in asked.labels(querier) for name in each}))

    return await on.queries.answer(request, collect)


@router.get("/label/{name}/values")
async def label_values(name: str, request: Request, given: Given, on: On) -> Response:
    """Return the values of one label."""
    if (engine := on.elsewhere()) is not None:
        path = f"/api/v1/label/{quote(name, safe='')}/values"
        return await forwarded(engine, path, given, form=False)
    asked, label = Asked.read(given), unescape_label_name(name)

    def collect(_canceled: Canceled) -> Json:
        querier = asked.reached(on.store)
        having = Matcher(label, MatchOp.NOT_EQUAL, "")
        if asked.takes_all(querier, having):
            return asked.cut(sorted(querier.label_values(label)))
        return asked.cut(sorted({each.value(label) for each in asked.labels(querier, having)}))

    return await on.queries.answer(request, collect)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which series are meant: by any of the selectors, with a sample from `start` to `end`.

    No selector takes all. `limit` 0 is none.
    """

    selectors: Sequence[Sequence[Matcher]]
    start: Timestamp
    end: Timestamp
    limit: int

    @classmethod
    def read(cls, given: Parameters) -> "Asked":
        """Return what a request asks for. Raises InvalidInput, ParseError."""
        start, end = (
            max(-_FURTHEST, min(given.time(name, default), _FURTHEST))
            for name, default in (("start", -_FURTHEST), ("end", _FURTHEST))
        )
        if end < start:
            reason = 'invalid parameter "end": end timestamp must not be before start time'
            raise InvalidInput(reason, pointer="?end")
        return cls(selectors(given.all(PARAMETER)), start, end, given.count("limit"))

    def reached(self, store: Queryable) -> Querier:
        """Return a querier for all the time that is asked for."""
        return store.querier().reaching(self.start - 1)

    def takes_all(self, querier: Querier, *besides: Matcher) -> bool:
        """Tell whether no series that fulfils `besides` is left out: an index can answer."""
        if self.selectors:
            return False
        return not self._bounded or bool(self._within(querier, querier.select(besides)).all())

    def labels(self, querier: Querier, *besides: Matcher) -> Sequence[Labels]:
        """Return the label sets of the series that are meant and fulfil `besides`."""
        refs = refs_of(querier, [(*each, *besides) for each in self.selectors or ((),)])
        return querier.labels(refs[self._within(querier, refs)] if self._bounded else refs)

    def cut(self, found: Sequence[object]) -> Json:
        """Return the first `limit`, with upstream's warning when more were there."""
        if not self.limit or len(found) <= self.limit:
            return success(found)
        return success(found[: self.limit], warnings=["results truncated due to limit"])

    @property
    def _bounded(self) -> bool:
        return self.start > -_FURTHEST or self.end < _FURTHEST

    def _within(self, querier: Querier, refs: Refs) -> Mask:
        """Tell which series have a sample in the time that is asked for."""
        ends, width = np.array([self.end], dtype=np.int64), self.end - self.start + 1
        within = querier.instants(refs, ends, width).present[:, 0]
        # The newest may be a staleness marker: samples before it count.
        left = np.flatnonzero(~within)
        within[left] = querier.counters(refs[left], ends, width).count[:, 0] > 0
        return within


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
