"""Uptime and the status pages, put together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from controlplane.app.supervisor import Supervisor
from controlplane.app.telling import Telling
from controlplane.clock import Clock, Timestamp
from controlplane.config.config import Config
from controlplane.model.origin import Origin
from controlplane.model.share import WHOLE, Share
from controlplane.storage.database import Database
from controlplane.storage.status import SqlIncidents, SqlMaintenance
from controlplane.storage.uptime import SqlUptime
from controlplane.targets.ports import Change, LastOutcome, TargetChange
from controlplane.targets.registry import TargetRegistry
from controlplane.uptime.copies import Copies
from controlplane.uptime.incidents import Incidents
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.pages import StatusPages
from controlplane.uptime.plans import Plans
from controlplane.uptime.ports import Labelled
from controlplane.uptime.reading import Uptime
from controlplane.uptime.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Uptimes:
    """What counts, what reads, what people write, and what the public sees."""

    recorder: Recorder
    reader: Uptime
    incidents: Incidents
    plans: Plans
    pages: StatusPages

    def on_change(self, change: TargetChange) -> None:
        """Follow one change of the registry: what is paused or gone is not counted."""
        if change.kind is Change.REMOVED or change.target.operator.paused:
            self.recorder.forget(change.target.id)

    async def quiet(self) -> None:
        """Return when what is known of targets that are another replica's now is written."""
        await self.recorder.quiet()

    def change(self, config: Config) -> None:
        """Put what a configuration says in force."""
        self.plans.configure(config.planned_maintenance)
        self.pages.configure(config.status_pages)

    def start(self, supervisor: Supervisor) -> None:
        """Begin to count and to read."""
        supervisor.start("uptime", self.recorder.run, drain=self.recorder.drain)
        supervisor.start("status pages", self.pages.run)


def build_uptimes(
    database: Database,
    targets: Callable[[], TargetRegistry],
    telling: Telling,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    directory: Path,
    share: Share = WHOLE,
    last_outcome: LastOutcome = lambda _target_id: None,
) -> Uptimes:
    """Make them all; `targets` are asked for later, copies of pages lie in `directory`.

    `last_outcome` tells of the targets that another replica of the share probes.
    """

    def labelled() -> list[Labelled]:
        return [(entry.target.id, entry.labels) for entry in targets().entries()]

    def version() -> int:
        return targets().version

    rollups, metrics = SqlUptime(database), UptimeMetrics(registry)
    incidents = Incidents(SqlIncidents(database), clock)
    plans = Plans(SqlMaintenance(database), clock, labelled, version)
    recorder = Recorder(
        rollups, clock=clock, metrics=metrics, maintained=plans.maintained, share=share
    )

    def well(target_id: str, now: Timestamp) -> bool | None:
        if recorder.counts(target_id):
            return recorder.well(target_id, now)
        return last_outcome(target_id)

    reader = Uptime(rollups)
    pages = StatusPages(
        clock=clock,
        uptime=reader,
        incidents=incidents,
        plans=plans,
        well=well,
        targets=labelled,
        version=version,
        grouped=recorder.group,
        metrics=metrics,
        copies=Copies(directory),
    )
    # What another replica wrote, that one tells.
    incidents.subscribe(telling.incident, origin=Origin.HERE)
    plans.subscribe(telling.maintenance, origin=Origin.HERE)
    return Uptimes(recorder, reader, incidents, plans, pages)
