"""What a check-in vouches for: rules evaluated, messages sent, somebody there to be told."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from controlplane.app.vouching import Evaluating, Reaching, Sending
from controlplane.clock import Duration, Timestamp
from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.model.secret import Secret
from controlplane.notify.channels import Channel
from controlplane.notify.health import ReceiverHealth
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import Attempt, MessageState, Outcome
from controlplane.notify.options import Receiver
from controlplane.routing.options import Route
from controlplane.rules.status import GroupStatus
from controlplane.storage.deliveries import SqlDeliveries
from controlplane.transport.breaker import BreakerOptions
from tests.support.alerting import Alerting, alerting, firing
from tests.support.clock import ManualClock

MINUTE = 60_000
ROUTE = Route(receiver="ops", group_wait=0, group_interval=60_000)


def group(name: str, interval: Duration, last: Timestamp) -> GroupStatus:
    return GroupStatus(name, "rules.yml", interval, 0, 0, last, 0.0, ())


async def test_a_group_that_is_not_evaluated_on_time_is_named() -> None:
    """After three intervals, or one and a minute, whichever is more."""
    clock = ManualClock()
    start = clock.now()
    groups = [group("quick", 5_000, start), group("slow", 10 * MINUTE, start)]
    evaluating = Evaluating(lambda: groups, clock)
    assert await evaluating() == ""
    clock.set(start + 65_000)
    assert await evaluating() == ""
    clock.set(start + 65_001)
    assert await evaluating() == "not evaluated on time: quick"
    clock.set(start + 30 * MINUTE + 1)
    assert await evaluating() == "not evaluated on time: quick, slow"
    groups[:] = [group("quick", 5_000, clock.now()), group("slow", 10 * MINUTE, clock.now())]
    assert await evaluating() == ""


async def test_a_new_group_has_time_for_its_first_evaluation() -> None:
    """Also one that a reload brought when the process had run for long."""
    clock = ManualClock()
    groups: list[GroupStatus] = []
    evaluating = Evaluating(lambda: groups, clock)
    clock.set(clock.now() + 1000 * MINUTE)
    groups.append(group("new", 5_000, 0))
    assert await evaluating() == ""
    clock.set(clock.now() + 2 * MINUTE)
    assert await evaluating() == "not evaluated on time: new"


def hook(server: WebhookStandIn, name: str = "ops") -> Receiver:
    return Receiver(name, webhook_configs=(WebhookConfig(Secret(server.url)),))


def sending(system: Alerting) -> Sending:
    return Sending(system.store, SqlDeliveries(system.db), system.worker, system.clock)


async def test_a_message_that_nobody_sends_is_stuck(tmp_path: Path) -> None:
    """Two minutes after it was due, when nothing holds it back."""
    clock = ManualClock()
    async with (
        WebhookStandIn() as server,
        alerting(tmp_path, ROUTE, [hook(server)], clock=clock, start=False) as system,
    ):
        await system.alerts.put([firing(clock.now())])
        await system.dispatcher.flush_due(clock.now())
        assert await sending(system)() == ""
        clock.set(clock.now() + 2 * MINUTE)
        assert await sending(system)() == "messages are not sent: ops/webhook/0"


async def test_an_outbox_that_nobody_looks_at_is_stuck(tmp_path: Path) -> None:
    """Even when it is empty."""
    clock = ManualClock()
    async with (
        WebhookStandIn() as server,
        alerting(tmp_path, ROUTE, [hook(server)], clock=clock, start=False) as system,
    ):
        await clock.advance(121)
        assert await sending(system)() == "the outbox has not been looked at for 2m1s"


async def test_what_waits_for_a_reason_is_not_stuck(tmp_path: Path) -> None:
    """An open breaker holds messages back: that is for others to tell."""
    breaker = BreakerOptions(threshold=1, pause=3_600)
    async with WebhookStandIn() as server:
        server.fail_always(Fault.answer(500))
        async with alerting(tmp_path, ROUTE, [hook(server)], breaker=breaker) as system:
            await system.alerts.put([firing(system.clock.now())])
            while not system.worker.held(("ops", "webhook/0")):
                await system.clock.sleep(0.02)
            later = ManualClock(system.clock.now() + 10 * MINUTE)
            held = Sending(system.store, SqlDeliveries(system.db), system.worker, later)
            assert await system.store.channels_due(later.now()) == [("ops", "webhook/0")]
            assert await held() == ""


class Told:
    """Deliveries of which only the last attempts are known."""

    def __init__(self, last: Mapping[Channel, Outcome]) -> None:
        self._last = last

    async def depths(self) -> Mapping[Channel, Mapping[MessageState, int]]:
        return {}

    async def attempts(self, channel: Channel, limit: int) -> Sequence[Attempt]:
        found = self._last.get(channel)
        return [] if found is None else [Attempt(1, 1, 0, 0.1, found)][:limit]

    async def last_delivered(self, channel: Channel) -> Timestamp | None:
        return None


async def test_somebody_must_be_there_to_be_told(tmp_path: Path) -> None:
    """It is bad when the last message to every integration failed; one untried is trusted."""
    ops, desk = ("ops", "webhook/0"), ("desk", "webhook/0")
    good, bad = Outcome.DELIVERED, Outcome.REFUSED
    async with (
        WebhookStandIn() as server,
        alerting(tmp_path, ROUTE, [hook(server), hook(server, "desk")], start=False) as system,
    ):

        async def found(last: Mapping[Channel, Outcome]) -> str:
            health = ReceiverHealth(Told(last), system.channels, system.worker)
            return await Reaching(health, system.channels)()

        assert await found({}) == ""
        assert await found({ops: bad}) == ""
        assert await found({ops: bad, desk: good}) == ""
        assert await found({ops: bad, desk: bad}) == "the last message to each integration failed"


async def test_without_receivers_there_is_nobody_to_miss(tmp_path: Path) -> None:
    """Whoever has no integrations does not want to be told."""
    async with alerting(tmp_path, ROUTE, [Receiver("ops")], start=False) as system:
        health = ReceiverHealth(SqlDeliveries(system.db), system.channels, system.worker)
        assert await Reaching(health, system.channels)() == ""
