"""Alerts of other programs go through us: a Prometheus' own, and those that clients post."""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.demo.standins import WebhookStandIn
from tests.acceptance.house import configuration, shop
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.service import Service, eventually, running

_ALERTS = "/alertmanager/api/v2/alerts"


def _configuration(hook: WebhookStandIn, **sections: Any) -> dict[str, Any]:
    receiver = {"webhook_configs": [{"url": f"{hook.url}/hook", "send_resolved": True}]}
    return configuration(receiver, **sections)


def _told(hook: WebhookStandIn, name: str) -> list[tuple[str, str]]:
    """Return the status of a group and of its one alert, for each message about a name."""
    return [
        (payload["status"], payload["alerts"][0]["status"])
        for payload in hook.payloads
        if payload["commonLabels"].get("alertname") == name
    ]


async def _until_told(hook: WebhookStandIn, name: str, status: str) -> None:
    async def look() -> bool:
        return (status, status) in _told(hook, name)

    await eventually(look, f"{name}, {status}, at the receiver")


async def _names(service: Service) -> set[str]:
    return {each["labels"]["alertname"] for each in await service.get(_ALERTS)}


@pytest.mark.slow
@needs_prometheus
async def test_a_prometheus_delivers_its_alerts_through_us(tmp_path: Path) -> None:
    """Its `alerting:` section with our address: firing, then resolved, at the receiver."""
    rule = {
        "alert": "ShopDown",
        "expr": "up == 0",
        "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.instance }} is down"},
    }
    rules = tmp_path / "shop.rules.json"
    rules.write_text(json.dumps({"groups": [{"name": "shop", "rules": [rule]}]}))
    home = tmp_path / "prometheus"
    home.mkdir()
    async with (
        WebhookStandIn() as hook,
        shop() as shop_,
        running(tmp_path, _configuration(hook)) as service,
    ):
        ours = {
            "path_prefix": "/alertmanager",
            "api_version": "v2",
            "static_configs": [{"targets": [service.url.removeprefix("http://")]}],
        }
        target = {"targets": [shop_.url.removeprefix("http://")]}
        theirs = {
            "global": {
                "scrape_interval": "1s",
                "evaluation_interval": "1s",
                "external_labels": {"cluster": "outside"},
            },
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [ours]},
            "scrape_configs": [{"job_name": "shop", "static_configs": [target]}],
        }
        async with prometheus(home, theirs):
            shop_.status = 500
            await _until_told(hook, "ShopDown", "firing")
            (shown,) = await service.get(_ALERTS)
            assert shown["labels"]["cluster"] == "outside"
            assert shown["receivers"] == [{"name": "oncall"}]
            (alert,) = hook.payloads[0]["alerts"]
            assert alert["annotations"]["summary"] == f"{target['targets'][0]} is down"
            assert "/graph?g0.expr=up+%3D%3D+0" in alert["generatorURL"]
            shop_.status = 200
            await _until_told(hook, "ShopDown", "resolved")
            assert await service.get(_ALERTS) == []
    assert not hook.refused


async def test_posted_alerts_outlive_a_kill_and_end_when_nobody_repeats_them(
    tmp_path: Path,
) -> None:
    """Accepted is durable; without an end it is over after `resolve_timeout`."""
    async with WebhookStandIn() as hook:
        sections = _configuration(hook)
        sections["global"]["resolve_timeout"] = "4s"
        async with running(tmp_path, sections) as service:
            kept = {"labels": {"alertname": "Kept"}, "endsAt": "2099-01-01T00:00:00Z"}
            short = {"labels": {"alertname": "Short"}}
            answer = await service.request("POST", _ALERTS, json=[kept, short])
            assert answer.status_code == 200
            await service.kill()
            await service.start()
            await _until_told(hook, "Short", "firing")
            await _until_told(hook, "Short", "resolved")
            assert await _names(service) == {"Kept"}
            ended = {**kept, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z"}
            await service.request("POST", _ALERTS, json=[ended])
            await _until_told(hook, "Kept", "resolved")
            assert await _names(service) == set()
