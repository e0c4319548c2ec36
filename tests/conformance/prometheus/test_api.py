"""What a Prometheus answers and what we do, side by side: shapes, texts, federation."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.remote_write import snappy, stale_sample, version_1
from tests.support.service import Service, eventually, running

# One of each for all tests here, and one loop with them.
pytestmark = [needs_prometheus, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SHAPES = (
    "metadata?limit=2",
    "targets/metadata?limit=2",
    "query_exemplars?query=up&start=1&end=2",
    "status/runtimeinfo",
    "status/buildinfo",
    "status/tsdb",
    "status/config",
    "status/walreplay",
    "alertmanagers",
    "scrape_pools",
    "format_query?query=1",
)
REFUSED = (
    "metadata?limit=x",
    "query_exemplars?query=up&start=2&end=1",
    "query_exemplars?query=up&start=x&end=1",
    "format_query?query=sum(",
    "format_query",
    "targets/metadata?match_target=%7B",
)
EXPRESSIONS = (
    "1+2*3",
    "sum by(job)(rate(a[5m]))",
    "sum(a)by(job)",
    'a{b=~"x.*",c!="1"} offset 5m @ 3',
    "a*on(b)group_left(c)d",
    "histogram_quantile(.9,sum(rate(x_bucket[1h30m]))by(le))",
    "max_over_time(rate(a[1m])[5m:30s])",
    "-a == bool 1",
    "topk(5, -(a unless b))",
    'label_replace(up,"a","$1","b","(.*)")',
)


def shape(value: Any) -> Any:
    """Return names and types, of a list those of its first element."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__.replace("int", "float")


def holds(ours: Any, theirs: Any) -> bool:
    """Tell whether all of their names are among ours, with the same types."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return all(name in ours and holds(ours[name], each) for name, each in theirs.items())
    if isinstance(theirs, list) and isinstance(ours, list):
        return not theirs or not ours or holds(ours[0], theirs[0])
    return bool(ours == theirs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    async with running(directory, {"global": {"scrape_interval": "1s"}}) as found:

        async def scraped() -> bool:
            return bool((await found.get("/prometheus/api/v1/metadata?limit=1"))["data"])

        await eventually(scraped, "metadata of ours")
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(
    tmp_path_factory: pytest.TempPathFactory, service: Service
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a Prometheus that scrapes us, and federates from us what is pushed here."""
    us = [{"targets": [service.url.removeprefix("http://")]}]
    federated = {"match[]": ['{pushed="yes"}', '{__name__="other"}']}
    path = "/prometheus/federate"
    configuration = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {"job_name": "own", "static_configs": us},
            {
                "job_name": "federate",
                "honor_labels": True,
                "metrics_path": path,
                "params": federated,
                "static_configs": us,
            },
        ],
    }
    async with (
        prometheus(tmp_path_factory.mktemp("prometheus"), configuration) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):

        async def scraped() -> bool:
            return bool((await client.get("/api/v1/metadata?limit=1")).json()["data"])

        await eventually(scraped, "metadata of a Prometheus")
        yield client


async def test_answers_have_their_shape(service: Service, theirs: httpx.AsyncClient) -> None:
    """Every endpoint answers with a Prometheus' names and types."""
    for path in SHAPES:
        wanted = (await theirs.get(f"/api/v1/{path}")).json()
        found = await service.get(f"/prometheus/api/v1/{path}")
        if path.startswith("metadata"):  # its names are metrics
            wanted, found = (list(each["data"].values()) for each in (wanted, found))
            assert len(found) == 2
        if path.startswith("targets"):  # their names are labels
            for each in (*wanted["data"], *found["data"]):
                assert each.pop("target")["instance"]
        assert holds(shape(found), shape(wanted)), (path, found, wanted)


async def test_refusals_are_theirs(service: Service, theirs: httpx.AsyncClient) -> None:
    """What cannot be used has the same status and kind of error."""
    for path in REFUSED:
        wanted = await theirs.get(f"/api/v1/{path}")
        found = await service.request("GET", f"/prometheus/api/v1/{path}")
        assert found.status_code == wanted.status_code, path
        assert found.json()["errorType"] == wanted.json()["errorType"], path


async def test_expressions_are_formatted_alike(service: Service, theirs: httpx.AsyncClient) -> None:
    """Short ones, which upstream leaves on one line."""
    for text in EXPRESSIONS:
        wanted = (await theirs.get("/api/v1/format_query", params={"query": text})).json()
        found = await service.request(
            "POST", "/prometheus/api/v1/format_query", data={"query": text}
        )
        assert found.json() == wanted, text


async def test_prometheus_federates_from_us(service: Service, theirs: httpx.AsyncClient) -> None:
    """What was pushed to us arrives there with its labels and values; what is stale does not."""
    now = round(time.time() * 1000)  # noqa: TID251 - the other process has a real clock
    pushed = [
        ({"__name__": "a", "pushed": "yes", "instance": "i", "text": 'q"\\\n'}, [(now, 1e300)]),
        ({"__name__": "a", "pushed": "yes", "job": "j"}, [(now, -0.5)]),
        ({"__name__": "other", "dotted.name": "x"}, [(now, 3.0)]),
        ({"__name__": "unasked"}, [(now, 3.0)]),
    ]
    body = snappy(version_1(pushed, {"other": [stale_sample(now)]}))
    headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
    answer = await service.request(
        "POST", "/prometheus/api/v1/write", content=body, headers=headers
    )
    assert answer.status_code == 204, answer.text

    async def arrived() -> list[dict[str, Any]]:
        given = {"query": '{__name__=~"a|other|unasked"}', "time": str(now / 1000 + 1)}
        found = (await theirs.get("/api/v1/query", params=given)).json()
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    found = await eventually(arrived, "federated series")
    values = sorted((each["metric"]["__name__"], each["value"][1]) for each in found)
    assert values == [("a", "-0.5"), ("a", "1e+300"), ("other", "3")]
    metrics = [each["metric"] for each in found]
    assert {
        "__name__": "a",
        "pushed": "yes",
        "instance": "i",
        "text": 'q"\\\n',
        "job": "federate",
    } in metrics
    assert {"__name__": "a", "pushed": "yes", "job": "j"} in metrics
    assert {"__name__": "other", "dotted_name": "x", "job": "federate"} in metrics


async def test_a_tree_is_shown(service: Service) -> None:
    """`parse_query` has upstream's names for what stands in an expression."""
    text = "sum by (j) (rate(a[5m] offset 1m)) > bool on (x) group_left (y) b @ 3"
    found = await service.get(f"/prometheus/api/v1/parse_query?query={quote(text)}")
    tree = found["data"]
    assert (tree["type"], tree["op"], tree["bool"]) == ("binaryExpr", ">", True)
    assert tree["matching"] == {
        "card": "many-to-one",
        "labels": ["x"],
        "on": True,
        "include": ["y"],
        "fillValues": {"lhs": None, "rhs": None},
    }
    call = tree["lhs"]["expr"]
    assert call["func"] == {
        "name": "rate",
        "argTypes": ["matrix"],
        "variadic": 0,
        "returnType": "vector",
    }
    selector = call["args"][0]
    assert (selector["type"], selector["range"], selector["offset"]) == (
        "matrixSelector",
        300_000,
        60_000,
    )
    assert tree["rhs"]["timestamp"] == 3000
    assert tree["rhs"]["matchers"] == [{"name": "__name__", "value": "b", "type": "="}]
