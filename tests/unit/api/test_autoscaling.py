"""`/api/v1/autoscaling` of the whole application: queries, decisions, replays."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from controlplane.clock import SystemClock
from tests.support.query_api import query_api, success, vector
from tests.unit.api.conftest import application

_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
autoscaling:
  - name: shop
    max_replicas: 20
    interval: 1s
    replicas: vector(4)
    metrics: [{name: load, query: vector(0.9), target: {value: 0.5}}]
  - name: careful
    mode: act
    max_replicas: 5
    interval: 1s
    replicas: vector(4)
    metrics: [{name: load, query: vector(0.9), target: {value: 0.5}}]
  - name: blind
    mode: act
    max_replicas: 5
    interval: 1s
    replicas: nothing
    metrics: [{name: load, query: vector(1), target: {value: 1}}]
"""


@pytest.fixture
async def scaling(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application whose policies have all been evaluated."""
    async with application(tmp_path, _CONFIG) as client:
        for _ in range(400):
            if all(each["decision"] for each in await policies(client)):
                break
            await SystemClock().sleep(0.05)
        yield client


async def policies(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/api/v1/autoscaling")).json()["items"]
    return items


async def test_policies_say_why(scaling: httpx.AsyncClient) -> None:
    """In the order of the file, each with the trace of its last decision."""
    shop, careful, blind = await policies(scaling)
    assert (shop["name"], shop["mode"], shop["scales"]) == ("shop", "shadow", "shop")
    assert (shop["min_replicas"], shop["max_replicas"], shop["interval"]) == (1, 20, "1s")
    decision = shop["decision"]
    assert (decision["outcome"], decision["current"], decision["desired"]) == ("recommended", 4, 8)
    assert decision["metrics"] == [
        {
            "metric": "load",
            "value": 0.9,
            "proposal": 8,
            "verdict": "up",
            "because": "0.9 is 1.8 times the target of 0.5",
        }
    ]
    assert careful["decision"]["steps"][-1] == "max_replicas: 5 instead of 8"
    assert (blind["decision"]["outcome"], blind["decision"]["desired"]) == ("held", None)
    assert len(decision["correlation_id"]) == 16


async def test_keda_reads_a_number(scaling: httpx.AsyncClient) -> None:
    """A number at `desired`; none in shadow mode, and no guess where nobody can tell."""
    answer = await scaling.get("/api/v1/autoscaling/careful")
    assert (answer.status_code, answer.json()["desired"]) == (200, 5)
    assert (await scaling.get("/api/v1/autoscaling/shop")).status_code == 409
    assert answer.json()["current"] == 4
    assert (await scaling.get("/api/v1/autoscaling/blind")).status_code == 503
    assert (await scaling.get("/api/v1/autoscaling/nobody")).status_code == 404


async def test_decisions_are_kept(scaling: httpx.AsyncClient) -> None:
    """A change once, however often it is repeated."""
    await SystemClock().sleep(1.5)
    page = (await scaling.get("/api/v1/autoscaling/shop/decisions")).json()
    assert [each["desired"] for each in page["items"]] == [8]
    assert page["next_cursor"] is None
    path = "/api/v1/autoscaling/shop/decisions"
    assert (await scaling.get(path, params={"cursor": "?"})).status_code == 422
    assert (await scaling.get("/api/v1/autoscaling/nobody/decisions")).status_code == 404


async def test_replays_are_compared(scaling: httpx.AsyncClient) -> None:
    """What happened, and what two policies would have done over the same time."""
    path = "/api/v1/autoscaling/shop/replay"
    answer = await scaling.get(path, params={"since": "1h", "against": "careful"})
    assert answer.status_code == 200, answer.text
    shop, careful = answer.json()["replays"]
    assert (shop["policy"], careful["policy"], shop["step"]) == ("shop", "careful", "1s")
    assert [each["replicas"] for each in shop["would"]["replicas"]] == [4, 8]
    assert (careful["would"]["most"], careful["would"]["changes"]) == (5, 1)
    assert shop["actual"]["over_threshold"] == "1h1s"
    assert shop["would"]["over_threshold"] == "1s"
    assert shop["would"]["replica_hours"] == pytest.approx(8, abs=0.01)
    for wrong in ({"since": "0"}, {"since": "500d"}, {"since": "x"}, {"until": "1h"}):
        assert (await scaling.get(path, params=wrong)).status_code == 422, wrong
    missing = await scaling.get(path, params={"against": "nobody"})
    assert missing.status_code == 404


async def test_a_reload_brings_other_policies(tmp_path: Path) -> None:
    """Those that are gone are gone, without a restart."""
    async with application(tmp_path, _CONFIG) as client:
        text = _CONFIG.replace("name: careful", "name: bold")
        (tmp_path / "controlplane.yml").write_text(text)
        assert (await client.post("/-/reload")).status_code == 200
        assert [each["name"] for each in await policies(client)] == ["shop", "bold", "blind"]


_SENT: dict[str, Any] = {
    "name": "sent",
    "mode": "act",
    "max_replicas": 9,
    "interval": "1s",
    "replicas": "vector(2)",
    "webhook": {"url": "http://127.0.0.1:1/hook", "secret": "hush"},
    "metrics": [{"name": "load", "query": "vector(1)", "target": {"value": 1}}],
}
_PATH = "/api/v1/autoscaling"


async def test_a_policy_by_the_api(scaling: httpx.AsyncClient) -> None:
    """Made, replaced, changed and removed; in force at once, its secrets never shown."""
    made = await scaling.post(_PATH, json=_SENT)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{_PATH}/sent/spec"
    assert "hush" not in made.text
    assert made.json()["provenance"] == "api"
    assert made.json()["spec"]["webhook"] == {"url": "<secret>", "secret": "<secret>"} | {
        key: value
        for key, value in made.json()["spec"]["webhook"].items()
        if key not in ("url", "secret")
    }
    assert (await scaling.post(_PATH, json={**_SENT, "max_replicas": 8})).status_code == 200
    changed = await scaling.patch(f"{_PATH}/sent", json={"mode": None, "min_replicas": 2})
    assert changed.status_code == 200, changed.text
    assert changed.json()["spec"]["max_replicas"] == 8
    listed = (await policies(scaling))[-1]
    assert (listed["name"], listed["provenance"]) == ("sent", "api")
    assert (listed["mode"], listed["min_replicas"]) == ("shadow", 2)
    for _ in range(200):
        if (await policies(scaling))[-1]["decision"]:
            break
        await SystemClock().sleep(0.05)
    assert (await policies(scaling))[-1]["decision"]["desired"] == 2
    assert (await scaling.delete(f"{_PATH}/sent")).status_code == 204
    assert (await scaling.get(f"{_PATH}/sent/spec")).status_code == 404
    assert (await scaling.delete(f"{_PATH}/sent")).status_code == 404


async def test_a_file_owns_its_policies(scaling: httpx.AsyncClient) -> None:
    """They are shown, and written only there."""
    shown = (await scaling.get(f"{_PATH}/shop/spec")).json()
    assert (shown["provenance"], shown["created_at"]) == ("file", None)
    assert shown["spec"]["metrics"][0]["query"] == "vector(0.9)"
    assert (await scaling.post(_PATH, json={**_SENT, "name": "shop"})).status_code == 409
    assert (await scaling.patch(f"{_PATH}/shop", json={"mode": "act"})).status_code == 409
    assert (await scaling.delete(f"{_PATH}/shop")).status_code == 409


async def test_a_bad_policy_is_refused_with_pointers(scaling: httpx.AsyncClient) -> None:
    """All that is wrong with it, each where it stands."""
    bad = {**_SENT, "max_replicas": 0, "metrics": [{"name": "x", "query": "rate(", "up": {}}]}
    answer = await scaling.post(_PATH, json=bad)
    assert answer.status_code == 422
    found = {each["pointer"] for each in answer.json()["errors"]}
    assert found == {"/metrics/0/query", "/metrics/0/up"}
    assert (await scaling.post(_PATH, json=[])).status_code == 422
    broken = await scaling.post(
        _PATH, content=b"name: x", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 422
    patched = await scaling.patch(f"{_PATH}/nobody", json={})
    assert patched.status_code == 404


async def test_policies_of_the_api_outlive_reloads_and_restarts(tmp_path: Path) -> None:
    """And wait while a file has their name."""
    async with application(tmp_path, _CONFIG) as client:
        assert (await client.post(_PATH, json=_SENT)).status_code == 201
        (tmp_path / "controlplane.yml").write_text(_CONFIG.replace("name: careful", "name: sent"))
        assert (await client.post("/-/reload")).status_code == 200
        names = {each["name"]: each["provenance"] for each in await policies(client)}
        assert names == {"shop": "file", "sent": "file", "blind": "file"}
        assert (await client.delete(f"{_PATH}/sent")).status_code == 409
    async with application(tmp_path, _CONFIG) as client:
        assert (await policies(client))[-1]["name"] == "sent"


async def test_another_engine_is_asked(tmp_path: Path) -> None:
    """That of the file, unless a policy has its own or is to ask ours; for replays too."""

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        if request.match_info["path"] == "query":
            return web.Response(body=vector(({}, "7")))
        start, end = float(str(form["start"])), float(str(form["end"]))
        values = [[start + place, "7"] for place in range(int(end - start) + 1)]
        return web.Response(body=success("matrix", [{"metric": {}, "values": values}]))

    async with query_api(handler) as elsewhere:
        text = _CONFIG + f"datasource: {{url: '{elsewhere}'}}\n"
        text = text.replace(
            "mode: act\n    max_replicas: 5\n    interval: 1s\n    replicas: v",
            "datasource: local\n    max_replicas: 5\n    interval: 1s\n    replicas: v",
        )
        async with application(tmp_path, text) as client:
            for _ in range(400):
                if all(each["decision"] for each in await policies(client)):
                    break
                await SystemClock().sleep(0.05)
            shop, careful, _ = await policies(client)
            assert shop["decision"]["metrics"][0]["value"] == 7
            assert careful["decision"]["metrics"][0]["value"] == 0.9
            answer = await client.get(f"{_PATH}/shop/replay", params={"since": "10s"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["replays"][0]["actual"]["most"] == 7


async def test_a_reload_moves_the_external_scaler(tmp_path: Path) -> None:
    """To where the file says; a file whose address cannot be had is refused whole."""
    ports = [free_port() for _ in range(2)]
    listening = [f"external_scaler: {{listen: '127.0.0.1:{port}'}}\n" for port in ports]
    path = tmp_path / "controlplane.yml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = f"external_scaler: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        async with application(tmp_path, _CONFIG + listening[0]) as client:
            assert await connects(ports[0])
            path.write_text(_CONFIG.replace("name: careful", "name: bold") + refused)
            assert (await client.post("/-/reload")).status_code == 409
            assert await connects(ports[0])
            assert [each["name"] for each in await policies(client)][1] == "careful"
            path.write_text(_CONFIG + listening[1])
            assert (await client.post("/-/reload")).status_code == 200
            assert await connects(ports[1])
            assert not await connects(ports[0])


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


async def connects(port: int) -> bool:
    """Tell whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
