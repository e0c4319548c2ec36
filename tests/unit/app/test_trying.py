"""Drills at their times: a reload touches those alone that it changes."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from controlplane.app.job_runner import JobMetrics, JobRunner
from controlplane.app.scheduling import Jobs
from controlplane.app.trying import Rehearsal
from controlplane.clock import Duration
from controlplane.config.config import Config
from controlplane.demo.standins import WebhookStandIn
from controlplane.model.cron import Cron
from controlplane.model.secret import Secret
from controlplane.notify.check_ins import CheckIns
from controlplane.notify.drill import DrillOptions
from controlplane.notify.health import ReceiverHealth
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.options import DeliveryOptions, Receiver
from controlplane.notify.receiver_tests import ReceiverTests
from controlplane.notify.trying import Trying
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.routing.options import Route
from controlplane.storage.check_ins import SqlCheckIns
from controlplane.storage.deliveries import SqlDeliveries
from controlplane.storage.jobs import SqlJobRuns
from tests.support.alerting import Alerting, alerting, plain_client
from tests.unit.notify.test_drills import drills_of

ROUTE = Route(receiver="ops", group_wait=0, group_interval=50)
DAILY = DrillOptions("daily", receiver="ops", schedule="0 9 * * *")
HOURLY = DrillOptions("hourly", receiver="ops", interval=3_600_000)


class Noted(Jobs):
    """Notes what is scheduled and dropped, and begins nothing by itself."""

    def __init__(self, system: Alerting) -> None:
        metrics = JobMetrics(CollectorRegistry())
        runner = JobRunner(SqlJobRuns(system.db), system.clock, metrics, owner="test")
        super().__init__(runner, system.clock, metrics)
        self.notes: list[str] = []
        self.work: dict[str, Callable[[], Awaitable[object]]] = {}

    def at(self, when: Cron | Duration, name: str, work: Callable[[], Awaitable[object]]) -> None:
        super().at(when, name, work)
        self.notes.append(f"at {name}")
        self.work[name] = work

    def drop(self, name: str) -> None:
        super().drop(name)
        self.notes.append(f"drop {name}")


def rehearsal(system: Alerting, jobs: Jobs) -> Rehearsal:
    metrics = TryingMetrics(CollectorRegistry())
    health = ReceiverHealth(SqlDeliveries(system.db), system.channels, system.worker)
    tests = ReceiverTests(
        system.store,
        system.channels,
        system.clock,
        owner="test",
        options=DeliveryOptions,
        wake=system.worker.wake,
        metrics=metrics,
    )
    check_ins = CheckIns({}, plain_client, SqlCheckIns(system.db), system.clock, metrics)
    return Rehearsal(Trying(health, tests, drills_of(system), check_ins), jobs, {})


async def test_a_reload_touches_what_it_changes(tmp_path: Path) -> None:
    """A drill that stays as it was keeps its beat; others come, go, or are set anew."""
    async with alerting(tmp_path, ROUTE, [Receiver("ops")], start=False) as system:
        jobs = Noted(system)
        tried = rehearsal(system, jobs)
        tried.change(Config(drills=(DAILY, HOURLY)))
        assert jobs.notes == ["at drill daily", "at drill hourly"]
        tried.change(Config(drills=(replace(DAILY, schedule="0 8 * * *"), HOURLY)))
        assert jobs.notes[2:] == ["drop drill daily", "at drill daily"]
        tried.change(Config())
        assert sorted(jobs.notes[4:]) == ["drop drill daily", "drop drill hourly"]
        assert tried.parts.drills.statuses() == []


async def test_a_job_begins_its_drill(tmp_path: Path) -> None:
    """A turn that comes while the last one is under way is left out, and is no failure."""
    async with WebhookStandIn() as ops:
        receiver = Receiver("ops", webhook_configs=(WebhookConfig(Secret(ops.url)),))
        async with alerting(tmp_path, ROUTE, [receiver]) as system:
            jobs = Noted(system)
            tried = rehearsal(system, jobs)
            tried.change(Config(drills=(HOURLY,)))
            begin = jobs.work["drill hourly"]
            await begin()
            await begin()
            (status,) = tried.parts.drills.statuses()
            assert status.last is not None
            await ops.wait_for(lambda: bool(ops.payloads))
        assert len(ops.payloads) == 1
