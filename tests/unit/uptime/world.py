"""A repository in memory, and what tests of uptime begin with."""

from collections.abc import Collection, Mapping, Sequence

from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.errors import Unavailable
from controlplane.model.share import WHOLE, Share
from controlplane.uptime.cells import Level, merged
from controlplane.uptime.incident import Incident
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.ports import Maintained, PackedRow
from controlplane.uptime.recorder import Recorder
from tests.support.clock import ManualClock

# A full hour, far from the end of its day.
NOON = 1_700_006_400_000 // 86_400_000 * 86_400_000 + 43_200_000


class Rollups:
    """A RollupRepository that may be away."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Level, Timestamp], dict[str, bytes]] = {}
        self.until: dict[Level, Timestamp] = {}
        self.away = False
        self.writes = 0

    async def put(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        self._check()
        self.writes += 1
        self.kept.setdefault((level, start), {}).update(rows)

    async def merge(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        self._check()
        self.writes += 1
        kept = self.kept.setdefault((level, start), {})
        for subject, cells in rows:
            before = kept.get(subject)
            kept[subject] = cells if before is None else merged(before, cells, level)
            if kept[subject] != before and self.until.get(level, 0) > start:
                self.until[level] = start

    async def block(self, level: Level, start: Timestamp) -> Sequence[PackedRow]:
        self._check()
        return list(self.kept.get((level, start), {}).items())

    async def rows(
        self, level: Level, subjects: Collection[str], starts: Sequence[Timestamp]
    ) -> Sequence[tuple[str, Timestamp, bytes]]:
        self._check()
        return [
            (subject, start, row)
            for start in starts
            for subject, row in self.kept.get((level, start), {}).items()
            if subject in subjects
        ]

    async def progress(self) -> Mapping[Level, Timestamp]:
        self._check()
        return self.until

    async def advance(self, level: Level, since: Timestamp | None, until: Timestamp) -> bool:
        self._check()
        if self.until.get(level) != since:
            return False
        self.until[level] = until
        return True

    def _check(self) -> None:
        if self.away:
            raise Unavailable("the database is away")


class Written:
    """Incidents and plans as their repositories keep them."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.away = False

    async def load(self) -> Sequence[Incident]:
        if self.away:
            raise Unavailable("the database is away")
        return list(self.incidents.values())

    async def find(self, ids: Collection[str]) -> Sequence[Incident]:
        return [each for each in await self.load() if each.id in ids]

    async def save(self, incident: Incident, known: Incident | None) -> None:
        if self.away:
            raise Unavailable("the database is away")
        self.incidents[incident.id] = incident

    async def delete(self, incident_id: str) -> None:
        self.incidents.pop(incident_id, None)


class Planned:
    """Plans as their repository keeps them."""

    def __init__(self) -> None:
        self.plans: dict[str, Maintenance] = {}

    async def load(self) -> Sequence[Maintenance]:
        return list(self.plans.values())

    async def find(self, ids: Collection[str]) -> Sequence[Maintenance]:
        return [each for each in await self.load() if each.id in ids]

    async def save(self, plan: Maintenance, known: Maintenance | None) -> None:
        self.plans[plan.id] = plan

    async def delete(self, plan_id: str) -> None:
        self.plans.pop(plan_id, None)


def recorder_of(
    rollups: Rollups,
    clock: ManualClock,
    maintained: Maintained = lambda _at: frozenset(),
    share: Share = WHOLE,
) -> Recorder:
    """Return a recorder as a process that starts now makes it."""
    metrics = UptimeMetrics(CollectorRegistry())
    return Recorder(rollups, clock=clock, metrics=metrics, maintained=maintained, share=share)


async def probe(
    recorder: Recorder,
    clock: ManualClock,
    seconds: int,
    *,
    well: bool = True,
    every: int = 10,
    target: str = "t",
    latency: float = 0.5,
) -> None:
    """Probe for a while: results come on time, minutes are closed as they end."""
    for _ in range(seconds // every):
        now = clock.now()
        recorder.observe(target, now, well, latency, now + every * 1000 + 2_000)
        clock.set(now + every * 1000)
        if clock.now() % 60_000 == 0:
            await recorder.turn()
