"""Fire drills by the true path: alerts, routes, groups, outbox, receivers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.demo.standins import Fault, WebhookStandIn
from controlplane.errors import Conflict, NotFound, Unavailable
from controlplane.model.alert import FIRE_DRILL_FAILED, Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.model.share import WHOLE, Role, Share
from controlplane.mute.options import InhibitRule, MuteOptions
from controlplane.notify.dead_letters import AcceptAlerts
from controlplane.notify.drill import DrillOptions, Run, Stage
from controlplane.notify.drills import Drills
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import Receiver
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.routing.options import Route
from tests.support.alerting import Alerting, alerting, firing
from tests.support.share import SettableShare

ROUTE = Route(
    receiver="ops",
    group_wait=0,
    group_interval=50,
    routes=(Route(receiver="desk", matchers=parse_matchers('team="desk"')),),
)
DRILL = DrillOptions("weekly", receiver="desk", interval=3_600_000)


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


def drills_of(
    system: Alerting,
    registry: CollectorRegistry | None = None,
    accept: AcceptAlerts | None = None,
    share: Share = WHOLE,
) -> Drills:
    """Return the drills of a system; nothing looks after them but the test."""
    return Drills(
        system.store,
        system.channels,
        system.clock,
        accept=accept or system.alerts,
        firing=lambda: system.alerts.list(AlertStatus.FIRING),
        receivers_of=system.dispatcher.receivers,
        metrics=TryingMetrics(registry or CollectorRegistry()),
        share=share,
    )


@asynccontextmanager
async def world(
    directory: Path, *servers: WebhookStandIn
) -> AsyncIterator[tuple[Alerting, Drills]]:
    """Give a system with the receivers `ops` and `desk`, and its drills."""
    receivers = [hook(server, name) for server, name in zip(servers, ("ops", "desk"), strict=True)]
    async with alerting(directory, ROUTE, receivers) as system:
        drills = drills_of(system)
        drills.configure([DRILL])
        yield system, drills


async def over(system: Alerting, drills: Drills, name: str = "weekly") -> Run:
    """Look after a run until it is over."""
    while True:
        await drills.look(system.clock.now())
        (last,) = (each.last for each in drills.statuses() if each.drill.name == name)
        assert last is not None
        if last.stage.over:
            return last
        await system.clock.sleep(0.02)


def complaints(system: Alerting) -> list[Alert]:
    """Return the alerts on drills that fire."""
    return [a for a in system.alerts.list(AlertStatus.FIRING) if a.name == FIRE_DRILL_FAILED]


async def test_a_drill_comes_back(tmp_path: Path) -> None:
    """Its receiver alone is told that it fires and that it ended; it is counted and timed."""
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        receivers = [hook(ops, "ops"), hook(desk, "desk")]
        async with alerting(tmp_path, ROUTE, receivers) as system:
            registry = CollectorRegistry()
            drills = drills_of(system, registry)
            drills.configure([DRILL])
            await drills.begin("weekly")
            assert (await over(system, drills)).stage is Stage.RESOLVED
            assert complaints(system) == []
            by_drill = {"drill": "weekly"}
            value = registry.get_sample_value
            result = by_drill | {"result": "resolved"}
            assert value("controlplane_drill_runs_total", result) == 1
            assert value("controlplane_drill_delivery_seconds_count", by_drill) == 1
            assert value("controlplane_drill_last_success_timestamp_seconds", by_drill)
        assert ops.requests == 0
        assert [message.body["status"] for message in desk.received] == ["firing", "resolved"]


async def test_a_drill_that_does_not_come_back_is_told_to_another_receiver(tmp_path: Path) -> None:
    """One alert about the receiver that was not told; it ends with the next run that went well."""
    quick = DrillOptions("weekly", receiver="desk", interval=3_600_000, deliver_within=2_000)
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        desk.fail_always(Fault.answer(500))
        async with world(tmp_path, ops, desk) as (system, drills):
            drills.configure([quick])
            await drills.begin("weekly")
            run = await over(system, drills)
            assert (run.stage, run.missing) == (Stage.FAILED, (("desk", "webhook/0"),))
            await ops.wait_for(lambda: FIRE_DRILL_FAILED in names(ops))
            (told,) = (a for m in ops.received for a in m.body["alerts"])
            assert (told["labels"]["drill"], told["labels"]["receiver"]) == ("weekly", "desk")
            assert "500" in told["annotations"]["description"]
            assert run.alert.fingerprint in told["annotations"]["description"]
            drill = system.alerts.get(run.alert.fingerprint)
            assert drill is not None
            assert drill.status(system.clock.now()) is AlertStatus.RESOLVED
            desk.heal()
            drills.configure([DRILL])
            await drills.begin("weekly")
            assert (await over(system, drills)).stage is Stage.RESOLVED
            assert complaints(system) == []
            await ops.wait_for(lambda: FIRE_DRILL_FAILED in names(ops, "resolved"))


async def test_a_drill_by_labels_takes_their_way(tmp_path: Path) -> None:
    """Whoever is told is found by the routes."""
    by_labels = DrillOptions("way", labels=Labels({"team": "desk"}), interval=3_600_000)
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        async with world(tmp_path, ops, desk) as (system, drills):
            drills.configure([by_labels])
            await drills.begin("way")
            run = await over(system, drills, "way")
            assert (run.stage, run.channels) == (Stage.RESOLVED, (("desk", "webhook/0"),))
        assert ops.requests == 0


async def test_a_reload_takes_a_run_along(tmp_path: Path) -> None:
    """The receiver that it was for is gone: who is told now counts."""
    by_labels = DrillOptions("way", labels=Labels({"team": "desk"}), interval=3_600_000)
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        desk.fail_always(Fault.answer(500))
        async with world(tmp_path, ops, desk) as (system, drills):
            drills.configure([by_labels])
            await drills.begin("way")
            await desk.wait_for(lambda: desk.requests > 0)
            await system.reload(
                Route(receiver="ops", group_wait=0, group_interval=50), [hook(ops, "ops")]
            )
            drills.configure([by_labels])
            run = await over(system, drills, "way")
            assert (run.stage, run.channels) == (Stage.RESOLVED, (("ops", "webhook/0"),))


async def test_a_drill_that_is_silenced_fails(tmp_path: Path) -> None:
    """Somebody who muted it all would not be paged either: that is what is to be found out."""
    quick = DrillOptions("weekly", receiver="desk", interval=3_600_000, deliver_within=200)
    inhibit = InhibitRule(parse_matchers('alertname="Broken"'), parse_matchers('drill=~".+"'), ())
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        receivers = [hook(ops, "ops"), hook(desk, "desk")]
        mute = MuteOptions(inhibit_rules=(inhibit,))
        async with alerting(tmp_path, ROUTE, receivers, mute=mute) as system:
            await system.alerts.put([firing(system.clock.now())])
            drills = drills_of(system)
            drills.configure([quick])
            await drills.begin("weekly")
            run = await over(system, drills)
            assert run.stage is Stage.FAILED
            assert "there is no message for it" in run.failure
        assert desk.requests == 0


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second one is refused until the first is over, and so is a drill that is not there."""
    async with (
        WebhookStandIn() as ops,
        WebhookStandIn() as desk,
        world(tmp_path, ops, desk) as (system, drills),
    ):
        await drills.begin("weekly")
        with pytest.raises(Conflict):
            await drills.begin("weekly")
        with pytest.raises(NotFound):
            await drills.begin("yearly")
        await over(system, drills)
        await drills.begin("weekly")


async def test_a_drill_that_could_not_begin_changes_nothing(tmp_path: Path) -> None:
    """The last run is still the last one, and another may begin."""
    async with (
        WebhookStandIn() as ops,
        WebhookStandIn() as desk,
        world(tmp_path, ops, desk) as (system, _),
    ):
        away = False

        async def accept(alerts: Sequence[Alert]) -> None:
            if away:
                raise Unavailable("the database is away")
            await system.alerts(alerts)

        drills = drills_of(system, accept=accept)
        drills.configure([DRILL])
        await drills.begin("weekly")
        last = await over(system, drills)
        away = True
        with pytest.raises(Unavailable):
            await drills.begin("weekly")
        assert [each.last for each in drills.statuses()] == [last]
        away = False
        await drills.begin("weekly")


async def test_what_a_removed_drill_left_behind_is_ended(tmp_path: Path) -> None:
    """Its alert and what it has complained of, also when another process did."""
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        desk.fail_always(Fault.answer(500))
        async with world(tmp_path, ops, desk) as (system, drills):
            drills.configure([DrillOptions("weekly", "desk", interval=60_000, deliver_within=100)])
            await drills.begin("weekly")
            await over(system, drills)
            assert len(complaints(system)) == 1
            later = drills_of(system)
            other = DrillOptions("other", receiver="ops", interval=60_000)
            later.configure([other])
            running = await later.begin("other")
            assert running.last is not None
            await later.look(system.clock.now())
            assert complaints(system) == []
            later.configure([])
            await later.look(system.clock.now())
            assert later.statuses() == []
            alert = system.alerts.get(running.last.alert.fingerprint)
            assert alert is not None
            assert alert.status(system.clock.now()) is AlertStatus.RESOLVED


async def test_several_replicas_follow_a_drill_and_one_acts(tmp_path: Path) -> None:
    """Whoever begins it: its owner ends the alert and complains, the others only watch."""
    async with WebhookStandIn() as ops, WebhookStandIn() as desk:
        desk.fail_always(Fault.answer(500))
        async with world(tmp_path, ops, desk) as (system, begins):
            share = SettableShare(role=Role.NOTIFIER)
            watches = drills_of(system, share=share)
            system.alerts.subscribe(watches.heard)
            short = DrillOptions("weekly", "desk", interval=60_000, deliver_within=100)
            for drills in (begins, watches):
                drills.configure([short])
            await begins.begin("weekly")
            with pytest.raises(Conflict, match="under way"):
                await watches.begin("weekly")
            assert (await over(system, watches)).stage is Stage.FAILED
            assert complaints(system) == []
            assert (await over(system, begins)).stage is Stage.FAILED
            assert len(complaints(system)) == 1
            watches.configure([])
            await watches.look(system.clock.now())
            assert len(complaints(system)) == 1
            share.give("drill/weekly")
            watches.configure([])
            await watches.look(system.clock.now())
            assert complaints(system) == []


async def test_a_drill_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Its alert fires: who comes later takes the run up and judges it."""
    async with (
        WebhookStandIn() as ops,
        WebhookStandIn() as desk,
        world(tmp_path, ops, desk) as (system, before),
    ):
        await before.begin("weekly")
        after = drills_of(system)
        after.configure([DRILL])
        assert (await over(system, after)).stage is Stage.RESOLVED
