"""Prometheus' API: parameters, envelopes, error types and limits as upstream's."""

import asyncio
import threading

import httpx
import pytest
from starlette.requests import Request

from controlplane.api.prometheus.labels import unescape_label_name
from controlplane.api.query_pool import Canceled, QueryPool
from controlplane.errors import InvalidInput, Overloaded
from tests.unit.api.conftest import ON_SHARED

_API = "/prometheus/api/v1"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_query_is_an_address_or_a_form(api: httpx.AsyncClient, method: str) -> None:
    """Both are reads; the shape is upstream's."""
    given = {"query": "1 + 1", "time": "1700000000.5"}
    form, address = (given, None) if method == "POST" else (None, given)
    answer = await api.request(method, f"{_API}/query", params=address, data=form)
    data = {"resultType": "scalar", "result": [1700000000.5, "2"]}
    assert answer.json() == {"status": "success", "data": data}
    assert answer.headers["content-type"] == "application/json"


async def test_values_are_texts(api: httpx.AsyncClient) -> None:
    """Infinities and NaN have upstream's spelling, a vector its shape."""
    for expr, text in (("1/0", "+Inf"), ("-1/0", "-Inf"), ("0/0", "NaN"), ("0.1", "0.1")):
        answer = await api.get(f"{_API}/query", params={"query": expr, "time": 1})
        assert answer.json()["data"]["result"] == [1.0, text]
    answer = await api.get(f"{_API}/query", params={"query": "vector(7)", "time": 1})
    assert answer.json()["data"]["result"] == [{"metric": {}, "value": [1.0, "7"]}]
    answer = await api.get(f"{_API}/query", params={"query": '"ä"', "time": 1})
    assert answer.json()["data"] == {"resultType": "string", "result": [1.0, "ä"]}


async def test_a_range_has_its_points(api: httpx.AsyncClient) -> None:
    """Times are RFC 3339 or seconds, the step a duration or seconds."""
    given = {"query": "time()", "start": "1970-01-01T00:00:10Z", "end": "20", "step": "5s"}
    answer = await api.post(f"{_API}/query_range", data=given)
    series = {"metric": {}, "values": [[10.0, "10"], [15.0, "15"], [20.0, "20"]]}
    assert answer.json()["data"] == {"resultType": "matrix", "result": [series]}


@ON_SHARED
@pytest.mark.parametrize(
    ("path", "status", "kind", "text"),
    [
        ("query", 400, "bad_data", "no expression"),
        ("query?query=sum(", 400, "bad_data", "parse error"),
        ("query?query=up&time=yesterday", 400, "bad_data", 'parameter "time"'),
        ("query?query=up&time=NaN", 400, "bad_data", "out of range"),
        ("query?query=up&timeout=x", 400, "bad_data", 'parameter "timeout"'),
        ("query?query=up&limit=-1", 400, "bad_data", 'parameter "limit"'),
        ("query?query=up&timeout=-1", 503, "timeout", "timed out"),
        ("query?query=" + "(" * 5000 + "1" + ")" * 5000, 400, "bad_data", "deeper"),
        ("query_range?query=up&start=1&end=2", 400, "bad_data", 'parameter "step"'),
        ("query_range?query=up&start=2&end=1&step=1", 400, "bad_data", "end timestamp"),
        ("query_range?query=up&start=1&end=2&step=0", 400, "bad_data", "zero or negative"),
        ("query_range?query=up&start=0&end=20000&step=1", 400, "bad_data", "11,000 points"),
        ("query_range?query=up[5m]&start=1&end=2&step=1", 400, "bad_data", "expression type"),
        ("series", 400, "bad_data", "no match[]"),
        ("series?match[]=up&start=2&end=1", 400, "bad_data", "end timestamp"),
        ("series?match[]=up&start=x", 400, "bad_data", 'parameter "start"'),
        ("series?match[]={}", 400, "bad_data", "non-empty"),
        ("labels?match[]={", 400, "bad_data", "parse error"),
        ("label/U__a_110000_/values", 400, "bad_data", "label name"),
        ("rules?type=other", 400, "bad_data", "other"),
        ("nothing", 404, "not_found", "nothing"),
    ],
)
async def test_bad_requests_have_upstreams_envelope(
    shared: httpx.AsyncClient, path: str, status: int, kind: str, text: str
) -> None:
    """Status and errorType are those that Prometheus answers with."""
    answer = await shared.get(f"{_API}/{path}")
    assert (answer.status_code, answer.json()["status"]) == (status, "error")
    assert answer.json()["errorType"] == kind
    assert text in answer.json()["error"]


async def test_forms_must_be_forms(api: httpx.AsyncClient) -> None:
    """JSON, or a form that is not UTF-8, is refused."""
    assert (await api.post(f"{_API}/query", json={"query": "1"})).status_code == 400
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await api.post(f"{_API}/query", content=b"query=\xff", headers=headers)
    assert answer.json()["errorType"] == "bad_data"


async def test_empty_answers_have_their_shape(api: httpx.AsyncClient) -> None:
    """A service that has just begun answers all that Grafana asks."""
    # Its own metrics may have come already: asked for is what was before it began.
    shapes = {
        "labels?start=0&end=1": [],
        "label/job/values?start=0&end=1": [],
        "series?match[]=up&start=0&end=1": [],
        "rules": {"groups": []},
        "alerts": {"alerts": []},
    }
    for path, data in shapes.items():
        assert (await api.get(f"{_API}/{path}")).json() == {"status": "success", "data": data}
    info = (await api.get(f"{_API}/status/buildinfo")).json()["data"]
    assert info["version"].startswith("3.")
    assert "features" not in info
    targets = (await api.get(f"{_API}/targets?state=active")).json()["data"]
    assert [each["labels"]["job"] for each in targets["activeTargets"]] == ["controlplane"]


def test_escaped_label_names() -> None:
    """Upstream's `U__` escaping, and names that only look like it."""
    assert unescape_label_name("job") == "job"
    assert unescape_label_name("U__http_2e_status") == "http.status"
    assert unescape_label_name("U__a__b") == "a_b"
    with pytest.raises(InvalidInput):
        unescape_label_name("U__a_110000_")


def _request(*messages: str) -> Request:
    left = list(messages)

    async def receive() -> dict[str, object]:
        if not left:
            await asyncio.Event().wait()
        return {"type": left.pop(0)}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


async def test_a_query_hears_that_its_client_has_gone() -> None:
    """The thread is told between its steps, and gives its place back."""
    pool = QueryPool(threads=1, waiting=0)

    def work(canceled: Canceled) -> str:
        waiting = threading.Event()
        while not canceled():
            waiting.wait(0.005)
        return "gone"

    answer = await pool.answer(_request("http.request", "http.disconnect"), work)
    assert answer.body == b'"gone"'
    pool.close()


async def test_a_query_whose_time_is_up_holds_its_place_until_it_ends() -> None:
    """No more threads than there are can be kept busy by callers that gave up."""
    pool = QueryPool(threads=1, waiting=0)
    ended = threading.Event()

    def work(canceled: Canceled) -> str:
        waiting = threading.Event()
        while not canceled():
            waiting.wait(0.005)
        ended.wait(5)
        return ""

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pool.answer(_request(), work)
    with pytest.raises(Overloaded):
        await pool.run(lambda: 1)
    ended.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await pool.run(lambda: 1) == 1
                break
            except Overloaded:
                await asyncio.sleep(0.005)  # noqa: TID251 - the thread is outside any clock
    pool.close()
