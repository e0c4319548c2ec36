"""Muting keeps the resolve contract, and breakers hold back, seen from outside."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import MessageState
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import Receiver
from controlplane.notify.pipeline import Pipeline
from controlplane.notify.ports import GroupFlush
from controlplane.routing.options import Route
from controlplane.routing.ports import Flush
from controlplane.transport.breaker import BreakerOptions
from tests.support.alerting import QUICK, Alerting, alerting, firing, resolved
from tests.support.clock import ManualClock

ROUTE = Route(receiver="ops", group_by=(), group_wait=0, group_interval=30)


class Silence:
    """Mutes the alerts with a label `n` of a set."""

    kind = "silence"

    def __init__(self) -> None:
        self.names: set[str] = set()

    def muted_by(self, labels: Labels, _flush: GroupFlush) -> tuple[str, ...]:
        return ("s-1",) if labels.value("n") in self.names else ()


def hook(server: WebhookStandIn, *, send_resolved: bool = True) -> Receiver:
    config = WebhookConfig(Secret(server.url), send_resolved=send_resolved)
    return Receiver("ops", webhook_configs=(config,))


def pipeline(system: Alerting, silence: Silence) -> Pipeline:
    return Pipeline(
        system.store,
        system.channels,
        owned=list,
        sender=system.worker,
        wake=system.worker.wake,
        options=QUICK,
        metrics=NotifyMetrics(CollectorRegistry()),
        muters=[silence],
    )


def flush(system: Alerting, *, at: Timestamp) -> Sequence[GroupFlush]:
    found = tuple(system.alerts.list())
    return [Flush("{}:{}", Labels(), "{}", "ops", 3_600_000, found, at)]


async def test_a_silence_hides_the_firing_and_never_the_end(tmp_path: Path) -> None:
    """What was told before the silence is told resolved in it; what was not stays untold."""
    silence = Silence()
    quiet = Route(receiver="nobody")
    async with (
        WebhookStandIn() as server,
        alerting(tmp_path, quiet, [hook(server)]) as system,
    ):
        subject = pipeline(system, silence)
        now = system.clock.now()
        told, untold = firing(now, n="told"), firing(now, n="untold")
        await system.alerts.put([told])
        await subject(flush(system, at=now))
        await server.wait_for(lambda: len(server.payloads) == 1)
        silence.names = {"told", "untold"}
        await system.alerts.put([untold])
        await system.worker.idle()
        await subject(flush(system, at=now + 1))
        assert await system.store.channels_due(now + 9) == []
        await system.alerts.put([resolved(told, system.clock.now())])
        await subject(flush(system, at=system.clock.now() + 1))
        await server.wait_for(lambda: len(server.payloads) == 2)
    last = server.payloads[-1]
    assert (last["status"], len(last["alerts"])) == ("resolved", 1)
    assert last["alerts"][0]["labels"]["n"] == "told"


async def test_what_is_silenced_is_not_repeated(tmp_path: Path) -> None:
    """An acknowledged alert pages nobody again, however long it lasts; others of its group do."""
    silence = Silence()
    async with (
        WebhookStandIn() as server,
        alerting(tmp_path, Route(receiver="nobody"), [hook(server)]) as system,
    ):
        subject = pipeline(system, silence)
        now = system.clock.now()
        await system.alerts.put([firing(now, lasts=90_000_000, n=name) for name in ("a", "b")])
        await subject(flush(system, at=now))
        await server.wait_for(lambda: len(server.payloads) == 1)
        await system.worker.idle()
        silence.names = {"a", "b"}
        later = now + 4_000_000
        await subject(flush(system, at=later))
        assert await system.store.channels_due(later) == []
        await system.worker.idle()
        assert len(server.payloads) == 1
        silence.names = {"a"}
        await subject(flush(system, at=later))
        await server.wait_for(lambda: len(server.payloads) == 2)
    assert server.payloads[-1]["status"] == "firing"


async def test_without_send_resolved_the_end_is_not_sent(tmp_path: Path) -> None:
    """The incident is closed all the same, so that the next firing is a first one."""
    async with WebhookStandIn() as server:
        receiver = hook(server, send_resolved=False)
        async with alerting(tmp_path, ROUTE, [receiver]) as system:
            alert = firing(system.clock.now())
            await system.alerts.put([alert])
            await server.wait_for(lambda: len(server.payloads) == 1)
            await system.alerts.put([resolved(alert, system.clock.now())])
            while await system.store.open_incidents():
                await system.clock.sleep(0.01)
            await system.alerts.put([firing(system.clock.now(), n="2")])
            await server.wait_for(lambda: len(server.payloads) == 2)
    reasons = [payload["notification_reason"] for payload in server.payloads]
    assert reasons == ["first notification"] * 2
    assert all(payload["status"] == "firing" for payload in server.payloads)


async def test_a_restart_pages_nobody_again(tmp_path: Path) -> None:
    """Groups are rebuilt from the kept alerts, and the log knows what was delivered."""
    async with WebhookStandIn() as server:
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            alert = firing(system.clock.now())
            await system.alerts.put([alert])
            await server.wait_for(lambda: len(server.payloads) == 1)
            await system.worker.idle()
        async with alerting(tmp_path, ROUTE, [hook(server)]) as system:
            await system.clock.sleep(0.3)
            assert len(server.payloads) == 1
            await system.alerts.put([resolved(alert, system.clock.now())])
            await server.wait_for(lambda: len(server.payloads) == 2)


async def test_a_breaker_spares_a_receiver_that_fails(tmp_path: Path) -> None:
    """After its threshold there is one trial in a pause, and it recovers by a success."""
    breaker = BreakerOptions(threshold=2, pause=0.5, longest_pause=0.5)
    each = Route(receiver="ops", group_by=("...",), group_wait=0, group_interval=3_600_000)
    clock = ManualClock()
    async with WebhookStandIn() as server:
        server.fail_always(Fault.answer(500))
        async with alerting(tmp_path, each, [hook(server)], breaker=breaker, clock=clock) as system:
            now = clock.now()
            await system.alerts.put([firing(now, n=str(number)) for number in range(12)])
            await server.wait_for(lambda: server.requests >= breaker.threshold)
            await system.worker.idle()
            before = server.requests
            assert before <= QUICK.concurrency + breaker.threshold
            await clock.advance(breaker.pause)
            await server.wait_for(lambda: server.requests > before)
            await system.worker.idle()
            assert server.requests == before + 1
            server.heal()
            await clock.advance(breaker.longest_pause)
            await server.wait_for(lambda: len(server.payloads) == 12)


async def test_an_end_follows_a_trigger_that_may_have_arrived_at_the_next_flush(
    tmp_path: Path,
) -> None:
    """The trigger was given up, its outcome unknown: the group's own flush tells its end."""
    once = replace(QUICK, max_attempts=1)
    async with (
        WebhookStandIn() as server,
        alerting(
            tmp_path, Route(receiver="nobody"), [hook(server)], options=once, tell_deaths=False
        ) as system,
    ):
        subject = pipeline(system, Silence())
        now = system.clock.now()
        alert = firing(now, n="x")
        await system.alerts.put([alert])
        server.fail_next(Fault.answer(500, after=True))
        await subject(flush(system, at=now))
        await system.worker.idle()
        assert (await system.store.depth())[MessageState.DEAD] == 1
        await system.alerts.put([resolved(alert, system.clock.now())])
        await subject(flush(system, at=system.clock.now() + 1))
        await server.wait_for(lambda: server.payloads[-1]["status"] == "resolved", 10.0)
        await system.worker.idle()
        assert await system.store.open_incidents() == []
