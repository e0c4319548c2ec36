"""How each target stands, whichever replica probes it.

Who probes a target writes down each change, and its first result; the others
read what changed. What they know is as old as the way through the database.
"""

from collections.abc import Callable, Collection
from itertools import islice
from typing import Final

from controlplane.clock import Clock, Timestamp
from controlplane.errors import Unavailable
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import (
    Change,
    LastOutcome,
    OutcomeRepository,
    TargetChange,
    TargetOutcome,
    Told,
)
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_FLUSH_SECONDS: Final = 1.0
_BATCH: Final = 1_000

# Is told what another replica said of a target, on the event loop. Must return at once.
Learned = Callable[[TargetOutcome], None]


class Outcomes:
    """The last word on every target. Belongs to one event loop.

    `take` never waits. What is not written yet is one outcome a target: the
    database may be away for any time, and gets the newest when it returns.
    """

    def __init__(
        self,
        repository: OutcomeRepository,
        *,
        clock: Clock,
        replica: str,
        own: LastOutcome,
        told: Told,
        learned: Learned,
        metrics: TargetMetrics,
    ) -> None:
        """`own` knows of the targets that are probed here, `told` hears of news from here."""
        self._repository = repository
        self._clock = clock
        self._replica = replica
        self._own = own
        self._told = told
        self._learned = learned
        self._known: dict[str, TargetOutcome] = {}
        self._waiting: dict[str, TargetOutcome] = {}
        self._paused: set[str] = set()
        self._is_away = False
        metrics.outcomes_waiting.set_function(lambda: len(self._waiting))

    def last(self, target_id: str) -> bool | None:
        """Tell whether a target's last probe was a success; None when nobody has said."""
        own = self._own(target_id)
        if own is not None:
            return own
        known = self._known.get(target_id)
        return None if known is None else known.success

    def get(self, target_id: str) -> TargetOutcome | None:
        """Return the last word on a target, None when there is none."""
        return self._known.get(target_id)

    def take(self, target_id: str, up: bool, reason: str) -> None:  # noqa: FBT001 - a state
        """Take the first result of a target that is probed here, or another than before."""
        now, before = self._clock.now(), self._known.get(target_id)
        since, at = now, now
        if before is not None:
            since = before.since if before.success is up else now
            at = max(now, before.at + 1)  # the other's clock may be ahead
        self._say(TargetOutcome(target_id, up, reason, since, at, self._replica))
        if before is None or (before.success, before.reason) != (up, reason):
            self._told(target_id, up, reason)

    def on_change(self, change: TargetChange) -> None:
        """Follow one change of the registry: of what is paused or gone nothing is known."""
        target_id = change.target.id
        if change.kind is not Change.REMOVED and not change.target.operator.paused:
            self._paused.discard(target_id)
            return
        self._known.pop(target_id, None)
        self._waiting.pop(target_id, None)
        if change.kind is Change.REMOVED:
            self._paused.discard(target_id)
        else:
            self._paused.add(target_id)

    async def load(self) -> None:
        """Read the last word on every target. Raises Unavailable."""
        rows = await self._repository.load()
        there = {row.target_id for row in rows}
        for gone in self._known.keys() - there - self._waiting.keys():
            del self._known[gone]
        for row in rows:
            self._learn(row)

    async def refresh(self, ids: Collection[str] | None) -> None:
        """Read anew what was said of some targets, or of all. Raises Unavailable."""
        if ids is None:
            await self.load()
            return
        rows = {row.target_id: row for row in await self._repository.find(ids)}
        for target_id in ids:
            row = rows.get(target_id)
            if row is not None:
                self._learn(row)
            elif target_id not in self._waiting:
                self._known.pop(target_id, None)

    async def flush(self) -> None:
        """Write what waits. Raises Unavailable; what was not written waits on."""
        while self._waiting:
            batch = list(islice(self._waiting.values(), _BATCH))
            await self._repository.save(batch)
            for each in batch:
                if self._waiting.get(each.target_id) is each:
                    del self._waiting[each.target_id]

    async def run(self) -> None:
        """Write once a second, until cancelled."""
        while True:
            try:
                await self.flush()
                self._is_away = False
            except Unavailable as error:
                if not self._is_away:
                    log.warning("states of targets wait", reason=str(error))
                self._is_away = True
            await self._clock.sleep(_FLUSH_SECONDS)

    async def drain(self) -> None:
        """Write what waits; who probes the targets next finds out what is not taken."""
        try:
            await self.flush()
        except Unavailable as error:
            log.warning("states of targets were not written", reason=str(error))

    def _learn(self, row: TargetOutcome) -> None:
        target_id, known = row.target_id, self._known.get(row.target_id)
        if target_id in self._paused or (known is not None and known.at >= row.at):
            return
        if known is not None and self._own(target_id) is not None:
            # Late word of one who probed it before: what is seen here is newer.
            self._say(_after(known, row.at))
            return
        self._known[target_id] = row
        if known is None or (known.success, known.reason) != (row.success, row.reason):
            self._learned(row)

    def _say(self, outcome: TargetOutcome) -> None:
        self._known[outcome.target_id] = self._waiting[outcome.target_id] = outcome


def _after(outcome: TargetOutcome, at: Timestamp) -> TargetOutcome:
    """Return the same, said once more after an instant."""
    return TargetOutcome(
        outcome.target_id, outcome.success, outcome.reason, outcome.since, at + 1, outcome.replica
    )
