"""A message that was given up is told to somebody else, and tried again by the next flush."""

from pathlib import Path

from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.model.alert import DEAD_LETTER
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import MessageState
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from tests.support.alerting import Alerting, alerting, firing


def hook(server: WebhookStandIn, name: str) -> Receiver:
    return Receiver(name, webhook_configs=(WebhookConfig(Secret(server.url)),))


def names(server: WebhookStandIn, status: str = "firing") -> list[str]:
    """Return the names of the alerts that a receiver was told of with a status."""
    return [
        alert["labels"]["alertname"]
        for message in server.received
        for alert in message.body["alerts"]
        if alert["status"] == status
    ]


async def quiet(system: Alerting) -> None:
    """Return when nothing is on its way."""
    while (depth := await system.store.depth())[MessageState.QUEUED] + depth[MessageState.SENDING]:
        await system.clock.sleep(0.02)


async def test_a_dead_letter_is_told_to_another_receiver_until_one_arrives(tmp_path: Path) -> None:
    """The root's receiver is dead: the alert goes to it and to the first other one."""
    child = Route(receiver="other", matchers=parse_matchers('team="x"'))
    route = Route(receiver="ops", group_wait=0, group_interval=100, routes=(child,))
    async with WebhookStandIn() as ops, WebhookStandIn() as other:
        ops.fail_always(Fault.answer(403))
        receivers = [hook(ops, "ops"), hook(other, "other")]
        async with alerting(tmp_path, route, receivers) as system:
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await other.wait_for(lambda: DEAD_LETTER in names(other))
            (told,) = other.received[0].body["alerts"]
            assert told["labels"]["receiver"] == "ops"
            assert "403" in told["annotations"]["description"]
            ops.heal()
            await ops.wait_for(lambda: "Broken" in names(ops))
            await other.wait_for(lambda: DEAD_LETTER in names(other, "resolved"))
        assert names(other).count(DEAD_LETTER) == 1


async def test_it_goes_the_ordinary_way_where_that_leads_elsewhere(tmp_path: Path) -> None:
    """A route of its own takes it, and nobody else is told."""
    dead = Route(receiver="desk", matchers=parse_matchers(f'alertname="{DEAD_LETTER}"'))
    route = Route(receiver="ops", group_wait=0, group_interval=60_000, routes=(dead,))
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        ops.fail_always(Fault.answer(403))
        receivers = [hook(ops, "ops"), hook(desk, "desk")]
        async with alerting(tmp_path, route, receivers) as system:
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await desk.wait_for(lambda: DEAD_LETTER in names(desk))
            await quiet(system)
            assert ops.requests == 1


async def test_the_death_of_its_own_news_is_no_news(tmp_path: Path) -> None:
    """With one receiver only, the alert does not keep itself alive."""
    route = Route(receiver="ops", group_wait=0, group_interval=60_000)
    async with WebhookStandIn() as ops:
        ops.fail_always(Fault.answer(403))
        async with alerting(tmp_path, route, [hook(ops, "ops"), Receiver("nobody")]) as system:
            await system.alerts.put([firing(system.clock.now(), n="1")])
            await ops.wait_for(lambda: ops.requests >= 1)
            while not [a for a in system.alerts.list() if a.name == DEAD_LETTER]:
                await system.clock.sleep(0.02)
            (first,) = [a for a in system.alerts.list() if a.name == DEAD_LETTER]
            system.dispatcher.offer([], system.clock.now())
            await quiet(system)
            (still,) = [a for a in system.alerts.list() if a.name == DEAD_LETTER]
            assert still.ends_at == first.ends_at
