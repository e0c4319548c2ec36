"""A rack dies: ten thousand alerts in a minute become a few messages, and none is lost."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.demo.standins import PagerDutyStandIn, Received, SlackStandIn, WebhookStandIn
from controlplane.model.alert import Alert
from controlplane.routing.options import Route
from tests.support.alerting import QUICK, Alerting, alerting, firing, resolved
from tests.support.clock import ManualClock
from tests.unit.notify.test_end_to_end import everything

ALERTS, PART, KINDS = 10_000, 500, 5
ROUTE = Route(
    receiver="ops",
    group_by=("alertname", "rack"),
    group_wait=30_000,
    group_interval=300_000,
    repeat_interval=14_400_000,
)
# However slow the machine is on which all of this and the services run.
PATIENT = QUICK
# What each service takes in one request, as it documents.
SLACK, PAGERDUTY = 40_000, 512 * 1024


def rack(now: int) -> list[Alert]:
    """Return an alert of each kind for each of two thousand hosts."""
    return [
        firing(
            now,
            alertname=f"Kind{n % KINDS}",
            rack="r17",
            job="node",
            instance=f"host-{n // KINDS:04}.r17.example:9100",
            severity="critical",
        )
        for n in range(ALERTS)
    ]


async def post(system: Alerting, alerts: list[Alert]) -> None:
    """Post all, in parts."""
    for start in range(0, len(alerts), PART):
        await system.alerts.put(alerts[start : start + PART])


async def later(
    system: Alerting,
    clock: ManualClock,
    seconds: float,
    done: Callable[[], bool],
) -> None:
    """Let time pass until groups are due, then have it stand still until all has arrived."""
    await clock.advance(seconds)
    async with asyncio.timeout(240):
        while any((await system.store.depth()).values()) or not done():  # noqa: ASYNC110 - rows tell no one
            await asyncio.sleep(0.02)  # noqa: TID251 - for what is under way


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_dead_rack_is_a_few_messages(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Each alert is told firing and resolved; every message is one that the service takes."""
    clock = ManualClock()
    began = time.perf_counter()
    async with SlackStandIn() as slack, PagerDutyStandIn() as pagerduty, WebhookStandIn() as hook:
        receiver = everything(slack, pagerduty, hook)
        async with alerting(tmp_path, ROUTE, [receiver], clock=clock, options=PATIENT) as system:
            alerts = rack(clock.now())
            first, all_of_them = names(alerts[: ALERTS // 2]), names(alerts)
            await post(system, alerts[: ALERTS // 2])
            await later(system, clock, 30, lambda: told(hook, "firing") == first)
            await post(system, alerts[ALERTS // 2 :])
            await later(system, clock, 300, lambda: told(hook, "firing") == all_of_them)
            assert len(pagerduty.open_incidents()) == KINDS
            await post(system, [resolved(alert, clock.now()) for alert in alerts])
            await later(system, clock, 300, lambda: told(hook, "resolved") == all_of_them)
            assert not pagerduty.open_incidents()
        sent = [*slack.received, *pagerduty.received, *hook.received]
        record_testsuite_property("storm seconds", round(time.perf_counter() - began, 1))
        record_testsuite_property("storm messages", len(sent))
        assert slack.refused == pagerduty.refused == hook.refused == []
        assert len(pagerduty.incidents) == KINDS
        # Of each group: that it fires, that all of it does, and that it is over.
        assert len(hook.payloads) == 3 * KINDS
        assert len(sent) <= 20 * KINDS
        assert max(map(size, slack.received)) <= SLACK
        assert max(map(size, pagerduty.received)) <= PAGERDUTY


def size(message: Received) -> int:
    return len(json.dumps(dict(message.body)))


def names(alerts: list[Alert]) -> set[str]:
    return {alert.fingerprint for alert in alerts}


def told(hook: WebhookStandIn, status: str) -> set[str]:
    """Return the alerts of which the webhook was told so."""
    return {
        alert["fingerprint"]
        for payload in hook.payloads
        for alert in payload["alerts"]
        if alert["status"] == status
    }
