"""`/api/v1/uptime`, incidents and maintenance."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from controlplane.clock import SystemClock
from tests.unit.api.conftest import ON_SHARED, application

_CONFIG = """
global: {scrape_interval: 1h, evaluation_interval: 1h}
targets:
  - {name: owned, url: "http://127.0.0.1:1/", labels: {team: infra}}
status_pages:
  - {name: main, groups: [{name: All of it, match: ['{job=~".+"}']}]}
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of an application with a status page."""
    async with application(tmp_path, _CONFIG) as client:
        yield client


def instant(hours: float) -> str:
    now = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
    return (now + timedelta(hours=hours)).isoformat()


async def test_uptime_by_name_id_and_group(api: httpx.AsyncClient) -> None:
    """Thirty spans by default, whole ones; what nobody knows is unknown, never down."""
    (target,) = (await api.get("/api/v1/targets")).json()["items"]
    by_name = (await api.get("/api/v1/uptime", params={"target": "owned"})).json()
    by_id = (await api.get("/api/v1/uptime", params={"target": target["id"]})).json()
    group = (await api.get("/api/v1/uptime", params={"group": "main/All of it"})).json()
    assert by_name["subject"] == by_id["subject"] == "owned"
    assert group["subject"] == "main/All of it"
    assert len(by_name["items"]) == 31
    assert by_name["total"]["uptime"] is None
    assert by_name["items"][0]["unknown"] == 86_400
    assert by_name["items"][0]["down"] == 0


async def test_uptime_as_csv(api: httpx.AsyncClient) -> None:
    """A line for each span, under the names that JSON has."""
    answer = await api.get(
        "/api/v1/uptime",
        params={
            "target": "owned",
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-01T03:00:00Z",
            "resolution": "hour",
            "format": "csv",
        },
    )
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["start"] for row in rows] == [f"2026-01-01T0{hour}:00:00.000Z" for hour in range(3)]
    assert rows[0]["uptime"] == ""


@ON_SHARED
@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 422),
        ({"target": "owned", "group": "main/x"}, 422),
        ({"target": "none"}, 404),
        ({"group": "main/none"}, 404),
        ({"group": "main"}, 404),
        ({"target": "owned", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"target": "owned", "from": "2020-01-01T00:00:00Z", "resolution": "minute"}, 422),
        ({"target": "owned", "odd": "x"}, 422),
    ],
)
async def test_uptime_that_cannot_be_told(
    shared: httpx.AsyncClient, params: dict[str, str], status: int
) -> None:
    """Whose and when must be clear, and not too much at once."""
    assert (await shared.get("/api/v1/uptime", params=params)).status_code == status


async def test_an_incident_over_the_api(api: httpx.AsyncClient) -> None:
    """Begun with a place, updated, shown, removed."""
    begun = await api.post("/api/v1/incidents", json={"title": " Slow ", "text": "We look."})
    assert begun.status_code == 201
    place = begun.headers["location"]
    assert begun.json()["title"] == "Slow"
    update = {"text": "Over.", "stage": "resolved"}
    assert (await api.post(f"{place}/updates", json=update)).status_code == 201
    shown = (await api.get(place)).json()
    assert shown["stage"] == "resolved"
    assert shown["resolved_at"] == shown["updates"][1]["at"]
    assert (await api.delete(place)).status_code == 204
    assert (await api.get(place)).status_code == 404
    refused = await api.post("/api/v1/incidents", json={"title": "", "text": "x", "odd": 1})
    pointers = {each["pointer"] for each in refused.json()["errors"]}
    assert pointers == {"/title", "/odd"}


async def test_maintenance_over_the_api(api: httpx.AsyncClient) -> None:
    """Planned for the targets it selects, under way at once, ended early."""
    given = {"title": "disks", "match": ['{team="infra"}'], "ends_at": instant(2)}
    planned = await api.post("/api/v1/maintenance", json=given)
    assert planned.status_code == 201
    assert (planned.json()["targets"], planned.json()["under_way"]) == (1, True)
    place = planned.headers["location"]
    assert (await api.delete(place)).status_code == 204
    assert (await api.get(place)).json()["under_way"] is False
    later = await api.post("/api/v1/maintenance", json={**given, "starts_at": instant(1)})
    assert (await api.delete(later.headers["location"])).status_code == 204
    assert (await api.get(later.headers["location"])).status_code == 404
    refused: list[dict[str, object]] = [
        {"match": ["{{"]},
        {"match": []},
        {"ends_at": instant(-1)},
    ]
    for wrong in refused:
        assert (await api.post("/api/v1/maintenance", json={**given, **wrong})).status_code == 422
