"""How many messages a receiver is sent in a time."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.demo.standins import WebhookStandIn
from controlplane.model.secret import Secret
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import Receiver
from controlplane.notify.rate import Rate
from controlplane.routing.options import Route
from tests.support.alerting import QUICK, alerting, firing


def test_a_burst_then_so_many_a_second() -> None:
    """What was not used adds up to the burst, and no further."""
    rate = Rate(2.0, burst=3)
    assert rate.room(100.0, 10) == 3
    rate.take(3)
    assert rate.room(100.0, 10) == 0
    assert rate.until(100.0) == pytest.approx(100.5)
    assert rate.room(100.4, 10) == 0
    assert rate.room(100.5, 10) == 1
    assert rate.room(200.0, 10) == 3
    assert rate.room(200.0, 2) == 2


def test_what_was_not_sent_is_given_back() -> None:
    """A seat that nobody used costs nothing."""
    rate = Rate(1.0, burst=1)
    assert rate.room(0.0, 5) == 1
    rate.take(1)
    rate.give_back(1)
    assert rate.room(0.0, 5) == 1


def test_without_a_limit_everything_goes() -> None:
    """A rate of 0 is none."""
    rate = Rate(0.0, burst=1)
    rate.take(50)
    assert rate.room(0.0, 7) == 7
    assert rate.until(3.0) == 3.0


async def test_a_receiver_is_sent_no_more_than_its_rate(tmp_path: Path) -> None:
    """Ten groups at once: the burst at once, the others in their time, none lost."""
    route = Route(receiver="ops", group_by=("n",), group_wait=0, group_interval=60_000)
    options = replace(QUICK, rate=20.0, burst=4)
    async with WebhookStandIn() as server:
        hook = Receiver("ops", webhook_configs=(WebhookConfig(Secret(server.url)),))
        async with alerting(tmp_path, route, [hook], options=options) as system:
            await system.clock.sleep(0.05)
            now, began = system.clock.now(), system.clock.monotonic()
            await system.alerts.put([firing(now, n=str(n)) for n in range(10)])
            await server.wait_for(lambda: len(server.received) == 10)
            took = system.clock.monotonic() - began
        assert took >= 6 / 20.0
