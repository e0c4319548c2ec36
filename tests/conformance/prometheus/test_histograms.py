"""Native histograms written to a real Prometheus and to ours, and asked of both.

Only what 2.42 and 3 agree on: quantiles at the bounds of buckets, and no
operators that 2.42 does not know.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from controlplane.ingest.wire import message_class
from tests.conformance.prometheus.samples import START
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.remote_write import snappy
from tests.support.service import running

_HEADERS: Final = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
_STEP: Final = 15_000
_SAMPLES: Final = 80
EXPRESSIONS: Final = [
    "latency",
    "latency{job='b'}",
    "histogram_count(latency)",
    "histogram_sum(latency)",
    "histogram_count(rate(latency[2m]))",
    "rate(latency[2m])",
    "increase(latency[5m])",
    "sum(latency)",
    "sum by (job) (rate(latency[3m]))",
    "sum(increase(latency[4m]))",
    "count(latency)",
    "latency + ignoring (zone) group_left latency{zone='x'}",
    "latency or up",
    "latency and on (job) latency{zone='x'}",
    "count_over_time(latency[2m])",
    "present_over_time(latency[2m])",
    "histogram_quantile(1, latency{job='b'})",
    "histogram_quantile(0, latency{job='b'})",
    "histogram_fraction(-Inf, +Inf, latency)",
    "histogram_sum(latency) / histogram_count(latency)",
    "absent(latency{job='none'})",
    "sum(latency offset 1m)",
]


def body() -> bytes:
    """Return a request with counters of different schemas, one of which begins anew."""
    draw, request = random.Random(7), message_class("WriteRequest")()
    label, span = message_class("Label"), message_class("BucketSpan")
    for job, zone, schema in (("a", "x", 0), ("a", "y", 2), ("b", "x", 3)):
        series = request.timeseries.add()
        pairs = (("__name__", "latency"), ("job", job), ("zone", zone))
        series.labels.extend(label(name=n, value=v).SerializeToString() for n, v in pairs)
        for number, counts in enumerate(_courses(draw)):
            message = message_class("Histogram")(
                timestamp=START + number * _STEP,
                count_int=sum(counts) + number % 40,
                sum=0.5 * sum(counts),
                schema=schema,
                zero_threshold=0.001,
                zero_count_int=number % 40,
                positive_deltas=[
                    after - before for before, after in zip([0, *counts], counts, strict=False)
                ],
            )
            message.positive_spans.extend([span(offset=-1, length=2), span(offset=2, length=2)])
            series.histograms.append(message.SerializeToString())
    encoded: bytes = request.SerializeToString()
    return encoded


def _courses(draw: random.Random) -> Iterator[list[int]]:
    # Far from zero, to which 3 does not extrapolate beyond and 2.42 does.
    first = [40, 40, 40, 40]
    counts = first
    for number in range(_SAMPLES):
        counts = first if number == 40 else counts
        counts = [count + draw.randrange(0, 5) for count in counts]
        yield counts


@pytest.mark.slow
@needs_prometheus
async def test_both_keep_the_same_histograms(tmp_path: Path) -> None:
    """Buckets with their bounds, counts, sums, rates: equal, instant and range."""
    environment = {"CONTROLPLANE_RETENTION": "0"}
    flags = (
        "--web.enable-remote-write-receiver",
        "--storage.tsdb.retention.time=100y",
        "--enable-feature=native-histograms",
    )
    async with (
        running(tmp_path, environment=environment) as service,
        prometheus(tmp_path, {}, *flags) as url,
    ):
        apis = (f"{service.url}/prometheus/api/v1", f"{url}/api/v1")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for api in apis:
                sent = await client.post(f"{api}/write", content=snappy(body()), headers=_HEADERS)
                assert sent.status_code == 204, sent.text
            told, different = 0, []
            for expression in EXPRESSIONS:
                for path, asked in _questions(expression):
                    ours, theirs = [await client.get(f"{api}/{path}", params=asked) for api in apis]
                    wanted, found = _series(theirs), _series(ours)
                    if not _same(found, wanted):
                        different.append(f"{path} {expression}\n{wanted}\n{found}")
                    told += bool(wanted)
            assert different == []
            assert told > len(EXPRESSIONS)


def _questions(expression: str) -> Iterator[tuple[str, dict[str, Any]]]:
    at = (START + 50 * _STEP) // 1000 + 0.5
    yield "query", {"query": expression, "time": at}
    yield "query_range", {"query": expression, "start": at - 300, "end": at + 120, "step": 37}


def _series(response: httpx.Response) -> dict[frozenset[tuple[str, str]], Any]:
    assert response.status_code == 200, response.text
    keys = ("value", "histogram", "values", "histograms")
    return {
        frozenset(each["metric"].items()): {key: each[key] for key in keys if key in each}
        for each in response.json()["data"]["result"]
    }


def _same(found: Any, wanted: Any) -> bool:
    """Tell whether two answers are equal, numbers up to rounding."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list):
        pairs = zip(found, wanted, strict=False)
        return len(found) == len(wanted) and all(_same(a, b) for a, b in pairs)
    left, right = float(found), float(wanted)
    return left == right or math.isclose(left, right, rel_tol=1e-9) or left != left != right
