"""Two replicas behind one address: whoever writes at one reads it at the other, at once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.clock import SystemClock
from tests.support.fleet import Fleet, fleet
from tests.support.service import Service

_CLOCK = SystemClock()
_QUIET = {"global": {"scrape_interval": "1h", "evaluation_interval": "1h"}}


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Fleet]:
    """Give two replicas that probe nothing."""
    async with fleet(tmp_path, _QUIET) as running:
        yield running


async def _ask(service: Service, method: str, path: str, body: Any = None) -> Any:
    answer = await service.request(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code < 300, (method, path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


@pytest.mark.slow
async def test_what_one_wrote_the_other_shows(two: Fleet) -> None:
    """Targets, alerts, silences, incidents: each is there, or gone, in the next answer."""
    for number in range(10):
        one, other = two.services if number % 2 else two.services[::-1]
        name = f"t{number}"
        target = await _ask(
            one, "POST", "/api/v1/targets", {"name": name, "url": "http://127.0.0.1:1/"}
        )
        path = f"/api/v1/targets/{target['id']}"
        assert (await _ask(other, "GET", path))["name"] == name
        await _ask(other, "PATCH", path, {"paused": True})
        assert (await _ask(one, "GET", path))["state"] == "paused"
        await _ask(one, "POST", "/alertmanager/api/v2/alerts", [{"labels": {"alertname": name}}])
        [alert] = await _ask(other, "GET", f"/alertmanager/api/v2/alerts?filter=alertname={name}")
        silence = await _ask(
            other,
            "POST",
            f"/api/v1/alerts/{alert['fingerprint']}/acknowledge",
            {"created_by": "ada", "comment": "x"},
        )
        [muted] = await _ask(one, "GET", f"/alertmanager/api/v2/alerts?filter=alertname={name}")
        assert muted["status"]["silencedBy"] == [silence["id"]]
        incident = await _ask(one, "POST", "/api/v1/incidents", {"title": name, "text": "slow"})
        shown = await other.request("GET", "/incidents")
        assert name in shown.text
        await _ask(other, "DELETE", f"/api/v1/incidents/{incident['id']}")
        await _ask(other, "DELETE", path)
        assert (await one.request("GET", path)).status_code == 404


@pytest.mark.slow
async def test_pages_are_shown_while_the_database_is_away(two: Fleet) -> None:
    """A replica that was cut off answers from what it knew, and catches up by itself."""
    one, other = two.services
    await _ask(one, "POST", "/api/v1/targets", {"name": "a", "url": "http://127.0.0.1:1/"})
    assert [each["name"] for each in (await _ask(other, "GET", "/api/v1/targets"))["items"]] == [
        "a"
    ]
    two.replicas[1].cut()
    await _ask(one, "POST", "/api/v1/targets", {"name": "b", "url": "http://127.0.0.1:1/"})
    await _ask(other, "GET", "/api/v1/targets")
    began = _CLOCK.monotonic()
    for _ in range(5):
        assert len((await _ask(other, "GET", "/api/v1/targets"))["items"]) == 1
    assert _CLOCK.monotonic() - began < 8
    two.replicas[1].mend()
    for _ in range(100):
        if len((await _ask(other, "GET", "/api/v1/targets"))["items"]) == 2:
            return
        await _CLOCK.sleep(0.2)
    pytest.fail("the other replica did not catch up")
