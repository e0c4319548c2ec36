"""`/prometheus/federate` and `/prometheus/metrics`: what another Prometheus scrapes of us."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response

from controlplane.api import health
from controlplane.api.prometheus.labels import refs_of
from controlplane.api.selectors import PARAMETER, selectors
from controlplane.api.surface import On
from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import METRIC_NAME, Labels, is_classic_metric_name
from controlplane.model.matchers import Matcher
from controlplane.promql.numbers import format_general
from controlplane.tsdb.ports import Querier

router = APIRouter(prefix="/prometheus", tags=["prometheus"])


_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
_CONTENT_TYPE_UTF8: Final = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"


@router.get("/federate")
async def federate(request: Request, on: On) -> Response:
    """Return the newest sample of each series that matches, with its instant."""
    chosen = selectors(request.query_params.getlist(PARAMETER))
    utf8 = "escaping=allow-utf-8" in request.headers.get("accept", "").replace(" ", "")
    now, lookback = on.clock.now(), on.engine.options.lookback
    external = on.external_labels()

    def write() -> bytes:
        if not chosen:
            return b""
        return exposition(on.store.querier(), chosen, now, lookback, external, utf8=utf8)

    kind = _CONTENT_TYPE_UTF8 if utf8 else _CONTENT_TYPE
    return Response(await on.queries.run(write), media_type=kind)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, on: On) -> Response:
    """Return our own metrics where those of a Prometheus under this prefix stand."""
    return await health.metrics(request, on)


def exposition(
    querier: Querier,
    chosen: Sequence[Sequence[Matcher]],
    now: Timestamp,
    lookback: Duration,
    external: Labels,
    *,
    utf8: bool,
) -> bytes:
    """Return Prometheus' text format: families by name, untyped, each sample with its instant.

    External labels are put on series that lack them, `instance` among them, if
    only as empty: the scraper must not put its own in place of a missing one.
    """
    refs = refs_of(querier, chosen)
    found = querier.instants(refs, np.array([now], dtype=np.int64), lookback)
    present = found.present[:, 0]
    if (lookup := querier.histograms(refs)) is not None:
        # The text format has no native histograms.
        objects, lost = lookup.resolve(found.values[:, 0])
        present = present & ~lost & ~objects.astype(np.bool_)
    there = np.flatnonzero(present)
    labels = querier.labels(refs[there])
    times, values = found.times[there, 0].tolist(), found.values[there, 0].tolist()
    put = {"instance": "", **external}
    lines, last = [], ""
    for place in sorted(range(len(there)), key=lambda place: labels[place].name):
        series = labels[place]
        if not series.name:
            continue
        if series.name != last:
            last = series.name
            lines.append(f"# TYPE {_name(last, utf8=utf8)} untyped")
        head = _head(series, put, utf8=utf8)
        lines.append(f"{head} {format_general(values[place])} {times[place]}")
    return "".join(f"{line}\n" for line in lines).encode()


def _head(series: Labels, put: dict[str, str], *, utf8: bool) -> str:
    pairs = [pair for pair in series.pairs if pair[0] != METRIC_NAME]
    pairs += [(name, value) for name, value in sorted(put.items()) if name not in series]
    inside = [f"{_name(name, utf8=utf8)}={_quoted(value)}" for name, value in pairs]
    name = _name(series.name, utf8=utf8)
    if name.startswith('"'):
        return f"{{{','.join([name, *inside])}}}"
    return f"{name}{{{','.join(inside)}}}"


def _name(name: str, *, utf8: bool) -> str:
    """Return a name as it may stand: quoted for those who can read that, else underscored."""
    if is_classic_metric_name(name):
        return name
    if utf8:
        return _quoted(name)
    text = "".join(c if c.isascii() and (c.isalnum() or c in "_:") else "_" for c in name)
    return f"_{text}" if text[0].isdigit() else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
