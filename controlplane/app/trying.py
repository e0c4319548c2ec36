"""Tests of receivers, fire drills and check-ins, made, wired and scheduled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from controlplane.api.surface import Check
from controlplane.app.alerting import Alerting
from controlplane.app.scheduling import Jobs
from controlplane.app.supervisor import Supervisor
from controlplane.app.vouching import Evaluating, Reaching, Sending, conditions
from controlplane.config.config import Config
from controlplane.errors import Conflict
from controlplane.model.alert import AlertStatus
from controlplane.notify.check_ins import CheckIns
from controlplane.notify.drill import DrillOptions
from controlplane.notify.drills import Drills
from controlplane.notify.health import ReceiverHealth
from controlplane.notify.receiver_tests import ReceiverTests
from controlplane.notify.trying import Trying
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.rules.status import GroupStatus
from controlplane.storage.check_ins import SqlCheckIns
from controlplane.storage.database import Database
from controlplane.storage.deliveries import SqlDeliveries
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is tried, and the jobs that have drills run at their times."""

    parts: Trying
    jobs: Jobs
    scheduled: dict[str, DrillOptions]

    async def begin(self, config: Config) -> None:
        """Take up how check-ins fared, and put a configuration in force. Raises Unavailable."""
        await self.parts.check_ins.refresh()
        self.change(config)

    def change(self, config: Config) -> None:
        """Put other drills and check-ins in force. Those that stay keep their beat."""
        self.parts.drills.configure(config.drills)
        self.parts.check_ins.configure(config.check_ins)
        wanted = {drill.name: drill for drill in config.drills}
        for name, drill in tuple(self.scheduled.items()):
            if wanted.get(name) != drill:
                self.jobs.drop(_job(name))
                del self.scheduled[name]
        for name, drill in wanted.items():
            if name not in self.scheduled:
                self.jobs.at(drill.when(), _job(name), partial(self._begin, name))
                self.scheduled[name] = drill

    def start(self, supervisor: Supervisor) -> None:
        """Set the loops in motion."""
        supervisor.start("drills", self.parts.drills.run)
        supervisor.start("check-ins", self.parts.check_ins.run)

    async def _begin(self, name: str) -> None:
        try:
            await self.parts.drills.begin(name)
        except Conflict:
            log.warning("fire drill not begun, the last one is not over", drill=name)


def build_rehearsal(
    alerting: Alerting,
    database: Database,
    jobs: Jobs,
    *,
    groups: Callable[[], Sequence[GroupStatus]],
    checks: Mapping[str, Check],
    registry: CollectorRegistry,
) -> Rehearsal:
    """Make the parts. `groups` are those of the rules, `checks` what `/ready` looks at."""
    clock, channels, worker = alerting.clock, alerting.channels, alerting.worker
    store, deliveries = alerting.notifications, SqlDeliveries(database)
    metrics, share = TryingMetrics(registry), alerting.replica.share
    health = ReceiverHealth(deliveries, channels, worker)
    tests = ReceiverTests(
        store,
        channels,
        clock,
        owner=alerting.replica.owner,
        options=lambda: worker.options,
        wake=worker.wake,
        metrics=metrics,
    )
    alerting.sweeper.leave(tests.owned)
    drills = Drills(
        store,
        channels,
        clock,
        accept=alerting.alerts,
        firing=lambda: alerting.alerts.list(AlertStatus.FIRING),
        receivers_of=alerting.dispatcher.receivers,
        metrics=metrics,
        share=share,
    )
    alerting.alerts.subscribe(drills.heard)
    well = conditions(
        checks,
        Evaluating(groups, clock),
        Sending(store, deliveries, worker, clock),
        Reaching(health, channels),
    )
    check_ins = CheckIns(
        well, alerting.senders.clients.client, SqlCheckIns(database), clock, metrics, share
    )
    return Rehearsal(Trying(health, tests, drills, check_ins), jobs, {})


def _job(drill: str) -> str:
    return f"drill {drill}"
