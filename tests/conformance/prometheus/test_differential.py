"""The same samples in a real Prometheus and in ours, and hundreds of expressions to both.

Asked at half seconds, where neither a sample nor the edge of a range stands:
2.42 includes the left edge of a range, 3 does not.
"""

import asyncio
import math
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from tests.conformance.prometheus.expressions import expressions
from tests.conformance.prometheus.samples import END, START, raw, series
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.remote_write import snappy, version_1
from tests.support.service import running

_HEADERS: Final = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
_MARGIN: Final = 900_000
_EXAMPLES: Final = 250

Answer = tuple[str, dict[frozenset[tuple[str, str]], list[tuple[float, float]]]]
INSTANTS = st.integers(START + _MARGIN, END + 400_000).map(lambda at: at // 1000 + 0.5)
STEPS = st.sampled_from([15, 37, 61, 120])


@pytest.mark.slow
@needs_prometheus
async def test_both_give_the_same_answers(tmp_path: Path) -> None:
    """Values, labels, instants and refusals are equal, instant and range."""
    body = snappy(version_1(series(), raw()))
    environment = {"CONTROLPLANE_RETENTION": "0"}
    flags = ("--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y")
    async with (
        running(tmp_path, environment=environment) as service,
        prometheus(tmp_path, {}, *flags) as url,
    ):
        apis = (f"{service.url}/prometheus/api/v1", f"{url}/api/v1")
        async with httpx.AsyncClient(trust_env=False) as client:
            for api in apis:
                answer = await client.post(f"{api}/write", content=body, headers=_HEADERS)
                assert answer.status_code == 204, answer.text
        await asyncio.to_thread(_compare, *apis)


def _compare(ours: str, theirs: str) -> None:
    told: list[bool] = []
    with httpx.Client(trust_env=False, timeout=30) as client:

        @seed(20230212)
        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(expressions(), INSTANTS, STEPS)
        def compare(expression: str, at: float, step: int) -> None:
            ranged = {"start": at, "end": at + 7 * step, "step": step}
            for path, given_ in (("query", {"time": at}), ("query_range", ranged)):
                asked = {"query": expression, **given_}
                wanted, found = (
                    _answer(client.post(f"{api}/{path}", data=asked)) for api in (theirs, ours)
                )
                note(f"{path} {asked}\nwanted {wanted}\nfound  {found}")
                told.append(bool(wanted[1]))
                assert _same(found, wanted), f"{path} {expression}"

        compare()
    # Refusals and empty answers are answers too, but most have to say something.
    assert sum(told) > len(told) / 2 > _EXAMPLES / 2


def _answer(response: httpx.Response) -> Answer:
    body = response.json()
    if body["status"] == "error":
        return f"{response.status_code} {body['errorType']}", {}
    kind, result = body["data"]["resultType"], body["data"]["result"]
    if kind in ("scalar", "string"):
        return kind, {frozenset(): [_sample(result)]}
    series_of: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
    for each in result:
        points = each.get("values") or [each["value"]]
        series_of[frozenset(each["metric"].items())] = [_sample(point) for point in points]
    assert len(series_of) == len(result), "a series comes twice"
    return kind, series_of


def _sample(point: list[Any]) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _same(found: Answer, wanted: Answer) -> bool:
    if found[0] != wanted[0] or found[1].keys() != wanted[1].keys():
        return False
    return all(
        len(found[1][labels]) == len(points) and all(map(_close, found[1][labels], points))
        for labels, points in wanted[1].items()
    )


def _close(found: tuple[float, float], wanted: tuple[float, float]) -> bool:
    if found[0] != wanted[0]:
        return False
    if math.isnan(found[1]) or math.isnan(wanted[1]):
        return math.isnan(found[1]) and math.isnan(wanted[1])
    return math.isclose(found[1], wanted[1], rel_tol=1e-9, abs_tol=1e-9)
