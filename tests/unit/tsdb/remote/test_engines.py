"""A query API as the rest of the program sees it: values, and every way to have none."""

from typing import Any

import numpy as np
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.clock import SystemClock
from controlplane.errors import (
    ControlPlaneError,
    DeadlineExceeded,
    InvalidInput,
    TooLarge,
    Unavailable,
)
from controlplane.model.labels import Labels
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.remote.answers import read_answer
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.metrics import DatasourceMetrics
from controlplane.tsdb.remote.options import Datasource
from tests.support.query_api import query_api, query_engine, success, vector

NOW = 1_700_000_000_123


async def test_a_question_and_its_answer(clients: HTTPClients) -> None:
    """The expression goes out whole, with its time, tenant and parameters."""
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update(form=dict(await request.post()), headers=request.headers)
        return web.Response(body=vector(({"__name__": "up", "job": "a"}, "1"), ({}, "+Inf")))

    async with query_api(answer) as url:
        asked = query_engine(
            clients, url, headers={"X-Scope-OrgID": "shop"}, params={"dedup": ("true",)}
        )
        found = await asked.instant("up == 1", NOW)
        await asked.close()
    assert seen["form"] == {
        "query": "up == 1",
        "time": "1700000000.123",
        "timeout": "30s",
        "dedup": "true",
    }
    assert seen["headers"]["x-scope-orgid"] == "shop"
    assert list(found.labels) == [Labels({"__name__": "up", "job": "a"}), Labels()]
    assert found.values.tolist() == [1.0, float("inf")]
    assert found.time == NOW


def test_values_of_every_kind() -> None:
    """Scalars, and the numbers that JSON has no form for."""
    found = read_answer(200, success("scalar", [1, "-Inf"], warnings=["w"], infos=["i"]), NOW)
    assert (found.scalar, found.values.tolist()) == (True, [float("-inf")])
    assert (found.warnings, found.infos) == (["w"], ["i"])
    assert np.isnan(read_answer(200, vector(({}, "NaN")), NOW).values[0])
    assert len(read_answer(200, vector(), NOW).labels) == 0


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, b'{"status":"error","errorType":"bad_data","error":"1:1: no"}', InvalidInput, "no"),
        (422, b'{"status":"error","errorType":"422","error":"cannot parse"}', InvalidInput, "cann"),
        (503, b'{"status":"error","errorType":"timeout","error":"late"}', DeadlineExceeded, "late"),
        (500, b'{"status":"error","errorType":"internal","error":"x"}', Unavailable, "internal: x"),
        (401, b"no org id", Unavailable, "HTTP status 401, and no JSON: no org id"),
        (200, b"<html>", Unavailable, "no JSON"),
        (200, b"[1]", Unavailable, "HTTP status 200"),
        (200, b'{"status":"success"}', Unavailable, "makes no sense: KeyError"),
        (200, success("vector", [{"metric": {}, "value": [1, "x"]}]), Unavailable, "no sense"),
        (200, success("vector", [{"metric": {}, "value": []}]), Unavailable, "no sense"),
        (200, success("vector", [3]), Unavailable, "no sense"),
        (200, success("vector", [{"metric": {}, "histogram": []}]), InvalidInput, "histograms"),
        (200, success("matrix", []), InvalidInput, "not a vector or scalar"),
        (200, success("string", [1, "x"]), InvalidInput, "not a vector or scalar"),
    ],
)
def test_answers_that_are_none(
    status: int, body: bytes, error: type[ControlPlaneError], words: str
) -> None:
    """Each is the error that tells whose fault it is."""
    with pytest.raises(error, match=words):
        read_answer(status, body, NOW)


async def test_an_answer_that_is_too_large(clients: HTTPClients) -> None:
    """Its bound is the datasource's; a large one within it is read."""
    body = vector(*(({"n": str(n)}, "1") for n in range(3000)))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    async with query_api(answer) as url:
        found = await query_engine(clients, url).instant("x", NOW)
        assert len(found.labels) == 3000
        with pytest.raises(TooLarge, match="over 1000 bytes"):
            await query_engine(clients, url, response_size_limit=1000).instant("x", NOW)


async def test_an_engine_that_is_away_or_late(clients: HTTPClients) -> None:
    """Neither holds anybody up, and no secret of the URL is told."""

    async def hang(_request: web.Request) -> web.Response:
        await SystemClock().sleep(30)
        raise web.HTTPNoContent

    with pytest.raises(Unavailable, match="does not answer") as away:
        await query_engine(clients, "http://u:hunter2@127.0.0.1:1").instant("x", NOW)
    assert "hunter2" not in str(away.value)
    async with query_api(hang) as url:
        with pytest.raises(DeadlineExceeded, match=r"within 0\.05s"):
            await query_engine(clients, url, timeout=50).instant("x", NOW)
    with pytest.raises(Unavailable, match="outbound policy"):
        await query_engine(clients, "http://10.0.0.1").instant("x", NOW)


async def test_remarks_are_passed_on_once(clients: HTTPClients) -> None:
    """Warnings and infos are logged when they are new."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=success("vector", [], warnings=["partial"], infos=["slow"]))

    async with query_api(answer) as url:
        asked = query_engine(clients, url)
        with capture_logs() as lines:
            await asked.instant("x", NOW)
            await asked.instant("x", NOW)
    assert [line["remarks"] for line in lines] == [["partial", "slow"]]


async def test_engines_are_made_once_and_closed(clients: HTTPClients) -> None:
    """Equal options are one engine, until a configuration has them no more."""
    engines = Engines(clients, clock=SystemClock(), metrics=DatasourceMetrics(CollectorRegistry()))
    one = engines.engine(Datasource("http://a"))
    assert engines.engine(Datasource("http://a")) is one
    two = engines.engine(Datasource("http://b"))
    await engines.keep_only([Datasource("http://b")])
    assert engines.engine(Datasource("http://b")) is two
    assert engines.engine(Datasource("http://a")) is not one
    await engines.close()
