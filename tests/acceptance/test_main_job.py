"""A service registers, breaks, and an engineer is told; a crash in the middle loses nothing."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controlplane import client
from controlplane.demo.standins import PagerDutyStandIn, SlackStandIn
from tests.acceptance.house import ROUTING_KEY, Shop, configuration, shop, write_rules
from tests.support.service import PATIENCE, Service, eventually, running


def _paged(slack: SlackStandIn, pager: PagerDutyStandIn) -> dict[str, Any]:
    """Return a receiver that tells both."""
    return {
        "slack_configs": [
            {"api_url": slack.webhook_url, "channel": "#alerts", "send_resolved": True}
        ],
        "pagerduty_configs": [{"routing_key": ROUTING_KEY, "url": f"{pager.url}/v2/enqueue"}],
    }


async def _state(service: Service, state: str) -> dict[str, Any]:
    """Wait for the one alert to be in a state; return it."""

    async def look() -> list[dict[str, Any]]:
        return [alert for alert in await service.alerts() if alert["state"] == state]

    return (await eventually(look, f"an alert that is {state}"))[0]


async def test_a_service_breaks_and_an_engineer_is_told(tmp_path: Path) -> None:
    """Registered by the client, it goes pending, firing, told to both, resolved in both."""
    async with shop() as shop_, SlackStandIn() as slack, PagerDutyStandIn() as pager:
        rules = write_rules(tmp_path / "shop.rules.yml", hold="2s")
        config = configuration(_paged(slack, pager), rule_files=[rules])
        async with running(tmp_path, config) as service:
            await _register_by_client(service, shop_)
            shop_.status = 500
            await _state(service, "pending")
            await _state(service, "firing")
            await pager.wait_for(lambda: len(pager.open_incidents()) == 1)
            await slack.wait_for(lambda: len(slack.messages) == 1)
            await _check_story(service)
            shop_.status = 200
            await pager.wait_for(lambda: pager.incidents[0].resolved)
            await slack.wait_for(lambda: len(slack.messages) == 2)
        assert pager.refused == slack.refused == []
        assert "checkout is down" in str(slack.messages[0].body)
        assert "RESOLVED" in str(slack.messages[1].body)


async def _register_by_client(service: Service, shop_: Shop) -> None:
    registration = client.register(
        "checkout",
        f"{shop_.url}/health",
        base_url=service.url,
        metrics_url=f"{shop_.url}/metrics",
        labels={"team": "shop"},
        lease="1m",
    )
    assert await asyncio.to_thread(registration.wait_until_registered, 10)
    registration.close(deregister=False)

    async def look() -> bool:
        probed = await service.value('probe_success{job="checkout",team="shop"}')
        scraped = await service.value('shop_orders_total{job="checkout",team="shop"}')
        return (probed, scraped) == (1, 7)

    await eventually(look, "a probe and a scrape")


async def _check_story(service: Service) -> None:
    (alert,) = (await service.get("/api/v1/alerts"))["items"]
    assert alert["receivers"] == ["oncall"]
    assert alert["annotations"] == {"summary": "checkout is down"}

    async def look() -> bool:
        story = await service.get(f"/api/v1/alerts/{alert['fingerprint']}/story")
        outcomes = [
            (told["integration"].split("/")[0].split("[")[0], each["outcome"])
            for told in story["notifications"]
            for each in told["attempts"]
        ]
        return sorted(outcomes) == [("pagerduty", "delivered"), ("slack", "delivered")]

    await eventually(look, "a story of both deliveries")


async def _samples(service: Service, number: int) -> list[dict[str, Any]]:
    """Return what the range query shows, once it shows so many samples."""
    found = await service.query("probe_success[1m]")
    return found if found and len(found[0]["values"]) >= number else []


@pytest.mark.slow
async def test_a_killed_process_remembers_what_it_said(tmp_path: Path) -> None:
    """After kill -9: the samples are there, the pending alert keeps its clock."""
    async with shop() as shop_:
        rules = write_rules(tmp_path / "shop.rules.yml", hold="1h")
        async with running(tmp_path, configuration(rule_files=[rules])) as service:
            shop_.status = 500
            target = await service.register("checkout", shop_.url)
            seen = await eventually(lambda: _samples(service, 1), "a probe")
            before = await _state(service, "pending")
            await service.kill()
            await service.start()
            found = await service.query("probe_success[10m]")
            assert seen[0]["values"] == found[0]["values"][: len(seen[0]["values"])]
            after = await _state(service, "pending")
            assert after["activeAt"] == before["activeAt"]
            assert (await service.get(f"/api/v1/targets/{target['id']}"))["name"] == "checkout"


@pytest.mark.slow
async def test_a_killed_process_pages_once(tmp_path: Path) -> None:
    """What was queued is delivered after the restart, and what fired does not fire anew."""
    async with shop() as shop_, SlackStandIn() as slack, PagerDutyStandIn() as pager:
        rules = write_rules(tmp_path / "shop.rules.yml")
        config = configuration(_paged(slack, pager), rule_files=[rules])
        async with running(tmp_path, config) as service:
            slack_port = slack.port
            await slack.stop()
            shop_.status = 500
            await service.register("checkout", shop_.url)
            await pager.wait_for(lambda: len(pager.open_incidents()) == 1)
            fired = await _state(service, "firing")
            await service.kill()
            await slack.start(slack_port)
            await service.start()
            await slack.wait_for(lambda: len(slack.messages) == 1, PATIENCE)
            assert (await _state(service, "firing"))["activeAt"] == fired["activeAt"]
            shop_.status = 200
            await pager.wait_for(lambda: pager.incidents[0].resolved, PATIENCE)
            await slack.wait_for(lambda: len(slack.messages) == 2, PATIENCE)
        assert len(pager.incidents) == 1
        assert pager.incidents[0].triggers <= 2
        assert pager.dropped == 0
