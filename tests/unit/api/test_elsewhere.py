"""Queries that another engine answers."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from controlplane.api.prometheus.elsewhere import forwarded
from controlplane.api.prometheus.parameters import Parameters
from controlplane.clock import SystemClock
from controlplane.errors import Unavailable
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.http_client import HTTPClients
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.resolver import StubResolver
from tests.support.query_api import query_api, query_engine, vector

GIVEN = Parameters((("query", "up"), ("time", "5"), ("tenant", "other"), ("x", "1"), ("x", "2")))


@pytest.fixture
async def clients() -> AsyncIterator[HTTPClients]:
    """HTTP clients over an engine of their own."""
    clock = SystemClock()
    resolver, engine = StubResolver(clock), Engine(clock)
    engine.start()
    client = Client(engine, resolver, OutboundPolicy(()), clock)
    yield HTTPClients(client)
    await client.close()
    await engine.close()
    await resolver.close()


async def test_question_and_answer_are_handed_on(clients: HTTPClients) -> None:
    """Every parameter goes there, but those that the file gives; the answer comes as it is."""
    seen: dict[str, list[str]] = {}

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        seen.update({name: [str(each) for each in form.getall(name)] for name in form})
        return web.Response(body=vector(({"a": "b"}, "1")), content_type="application/json")

    async with query_api(answer) as url:
        engine = query_engine(clients, url, params={"tenant": ("ours",)})
        found = await forwarded(engine, "/api/v1/query", GIVEN)
    assert seen == {"query": ["up"], "time": ["5"], "tenant": ["ours"], "x": ["1", "2"]}
    assert (found.status_code, found.media_type) == (200, "application/json")
    assert found.body == vector(({"a": "b"}, "1"))


async def test_a_question_that_is_no_form(clients: HTTPClients) -> None:
    """What knows no forms is asked by GET, with the same parameters."""
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.extend((request.method, value) for value in request.query.getall("x"))
        seen.append((request.path, request.query["tenant"]))
        return web.json_response({"status": "success", "data": ["a"]})

    async with query_api(answer) as url:
        engine = query_engine(clients, url, params={"tenant": ("ours",)})
        found = await forwarded(engine, "/api/v1/label/job/values", GIVEN, form=False)
    assert seen == [("GET", "1"), ("GET", "2"), ("/prefix/api/v1/label/job/values", "ours")]
    assert found.status_code == 200


async def test_errors_of_the_question_are_handed_on(clients: HTTPClients) -> None:
    """Who asked is told what is wrong with the expression."""
    said = '{"status":"error","errorType":"bad_data","error":"no"}'

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=said, status=400, content_type="application/json")

    async with query_api(answer) as url:
        found = await forwarded(query_engine(clients, url), "/api/v1/query_range", GIVEN)
    assert (found.status_code, bytes(found.body)) == (400, said.encode())


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "application/json"), (403, "text/plain"), (200, "text/html")]
)
async def test_what_is_no_answer_is_ours_to_tell(
    clients: HTTPClients, status: int, kind: str
) -> None:
    """A refusal of our credentials is not that of who asks us; a page is no answer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="{}", status=status, content_type=kind)

    async with query_api(answer) as url:
        with pytest.raises(Unavailable, match=f"HTTP status {status}"):
            await forwarded(query_engine(clients, url), "/api/v1/query", GIVEN)
