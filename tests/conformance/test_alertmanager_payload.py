"""Our webhook payload and group keys beside those of a real Alertmanager."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from controlplane.demo.standins import WebhookStandIn
from controlplane.model.alert import Alert
from controlplane.model.duration import format_time
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from tests.support.alerting import EXTERNAL_URL, alerting
from tests.support.alertmanager import alertmanager, needs_alertmanager

# What came after version 0.25.
NEWER = ("notification_reason", "routeLabels")

GROUP_BY = ("alertname", "path")
ROUTE = Route(
    receiver="all",
    group_by=GROUP_BY,
    group_wait=500,
    group_interval=1_000,
    routes=(
        Route(receiver="few", matchers=parse_matchers('team=~"a|b"')),
        Route(receiver="few", matchers=parse_matchers('z!="1",env="prod"'), group_by=("...",)),
        Route(group_by=("env",), matchers=parse_matchers('env="test"')),
    ),
)


def config(url: str) -> dict[str, Any]:
    """Return the same configuration as an Alertmanager reads it."""
    timing = {"group_wait": "500ms", "group_interval": "1s"}
    hooks = {"url": f"{url}/hook"}
    return {
        "route": {
            "receiver": "all",
            "group_by": list(GROUP_BY),
            **timing,
            "routes": [
                {"receiver": "few", "matchers": ['team=~"a|b"']},
                {"receiver": "few", "matchers": ['z!="1"', 'env="prod"'], "group_by": ["..."]},
                {"group_by": ["env"], "matchers": ['env="test"']},
            ],
        },
        "receivers": [
            {"name": "all", "webhook_configs": [hooks]},
            {"name": "few", "webhook_configs": [{**hooks, "max_alerts": 1}]},
        ],
    }


async def post(url: str, alerts: list[Alert]) -> None:
    """Give alerts to the Alertmanager."""
    body = [
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "startsAt": format_time(alert.starts_at),
            "endsAt": format_time(alert.ends_at),
            "generatorURL": alert.generator_url,
        }
        for alert in alerts
    ]
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.post(f"{url}/api/v2/alerts", json=body)
    assert answer.is_success, answer.text


def alerts(now: int) -> list[Alert]:
    """Return some that fire and one that has ended, with awkward labels."""
    sets: list[dict[str, str]] = [
        {"alertname": "A", "path": '/x"y\\z\n', "job": "b", "instance": "1"},
        {"alertname": "A", "path": '/x"y\\z\n', "job": "a", "instance": "2"},
        {"alertname": "A", "path": '/x"y\\z\n', "instance": "0"},
        {"alertname": "A", "path": "é☃", "team": "a", "n": "2"},
        {"alertname": "A", "path": "é☃", "team": "a", "n": "1"},
        {"alertname": "B", "env": "prod", "z": "2"},
        {"alertname": "C", "env": "test"},
        {"alertname": "D", "env": "test", "severity": "page"},
    ]
    return [
        Alert(
            Labels(labels),
            starts_at=now - 1_500 - place,
            ends_at=now + (3_600_000 if place != 2 else 2_000),
            updated_at=now,
            annotations=Labels({"summary": "one <&> two", "place": str(place)}),
            generator_url=f"http://prometheus/graph?g0.expr={place}&x=<>",
        )
        for place, labels in enumerate(sets)
    ]


def last_by_group(payloads: list[Any]) -> dict[str, Any]:
    """Return the newest payload of each group, without what 0.25 does not have."""
    return {
        payload["groupKey"]: {k: v for k, v in payload.items() if k not in NEWER}
        for payload in payloads
    }


def told_resolved(payloads: list[Any]) -> bool:
    states = [alert["status"] for payload in payloads for alert in payload["alerts"]]
    return "resolved" in states and len(last_by_group(payloads)) == 4


@needs_alertmanager
async def test_payloads_and_group_keys_are_those_of_alertmanager(tmp_path: Path) -> None:
    """The same alerts through both give the same groups, keys, order, labels and times."""
    async with WebhookStandIn() as theirs, WebhookStandIn() as ours:
        hook = Secret(f"{ours.url}/hook")
        receivers = [
            Receiver("all", webhook_configs=(WebhookConfig(hook),)),
            Receiver("few", webhook_configs=(WebhookConfig(hook, max_alerts=1),)),
        ]
        async with (
            alertmanager(tmp_path, config(theirs.url), f"--web.external-url={EXTERNAL_URL}") as url,
            alerting(tmp_path, ROUTE, receivers) as system,
        ):
            given = alerts(system.clock.now())
            await asyncio.gather(post(url, given), system.alerts.put(given))
            await theirs.wait_for(lambda: told_resolved(theirs.payloads), seconds=30)
            await ours.wait_for(lambda: told_resolved(ours.payloads), seconds=30)
    assert last_by_group(ours.payloads) == last_by_group(theirs.payloads)
