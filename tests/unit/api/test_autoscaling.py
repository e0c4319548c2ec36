"""`/api/v1/autoscaling` of the whole application: queries, decisions, replays."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.clock import SystemClock
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
