"""The silences: set, changed, expired, durable before they count."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import uuid4

from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError, NotFound, Overloaded
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.mute.book import Book
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.options import SilenceOptions
from controlplane.mute.ports import FiringAlerts, Moment, SilenceRepository
from controlplane.mute.silence import (
    Action,
    Silence,
    SilenceChange,
    SilenceState,
    can_become,
    check,
)
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Who ends a silence whose alerts are over.
RESOLVED: Final = "resolved"


class Silences:
    """All silences that are kept; a Muter. What `set` and `expire` return is durable."""

    kind: Final = "silence"

    def __init__(
        self,
        repository: SilenceRepository,
        clock: Clock,
        metrics: MuteMetrics,
        *,
        firing: FiringAlerts,
        options: SilenceOptions | None = None,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._firing = firing
        self._options = options or SilenceOptions()
        self._book = Book()
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()
        for state in SilenceState:
            metrics.observe(state.value, partial(self._count, state))

    async def load(self) -> None:
        """Take up what was kept. Raises Unavailable."""
        for silence in await self._repository.load():
            self._book.put(silence)

    def get(self, silence_id: str) -> Silence:
        """Return a silence. Raises NotFound."""
        found = self._book.get(silence_id)
        if found is None:
            raise NotFound(f"silence {silence_id} not found")
        return found

    def list(self) -> Sequence[Silence]:
        """Return all that are kept, those that end last first."""
        return sorted(self._book, key=lambda silence: (-silence.ends_at, silence.id))

    async def history(self, silence_id: str) -> Sequence[SilenceChange]:
        """Return what was done to a silence, oldest first. Raises NotFound, Unavailable."""
        self.get(silence_id)
        return await self._repository.history(silence_id)

    async def set(self, silence: Silence, *, by: str = "") -> Silence:
        """Create a silence, or change the one with its id; return what came of it.

        A change of the past gets an id of its own, and the old silence ends.
        `by` did it, if not its author. Raises InvalidInput, NotFound,
        Overloaded, Unavailable.
        """
        async with self._writing:
            now = self._clock.now()
            old = self.get(silence.id) if silence.id else None
            check(silence, self._options)
            actor = by or silence.created_by
            if old is not None and can_become(old, silence, now):
                changed = replace(silence, updated_at=now)
                await self._save([SilenceChange(changed, Action.CHANGED, now, actor)])
                return changed
            if len(self._book) >= self._options.max_silences:
                raise Overloaded(f"more than {self._options.max_silences} silences are kept")
            new = replace(
                silence, id=str(uuid4()), starts_at=max(silence.starts_at, now), updated_at=now
            )
            check(new, self._options)
            changes = [SilenceChange(new, Action.CREATED, now, actor)]
            if old is not None and old.state(now) is not SilenceState.EXPIRED:
                changes.append(SilenceChange(old.expired(now), Action.EXPIRED, now, actor))
            await self._save(changes)
            return new

    async def expire(self, silence_id: str, *, by: str = "") -> Silence:
        """End a silence now; one that has ended stays as it is. Raises NotFound, Unavailable."""
        async with self._writing:
            now = self._clock.now()
            silence = self.get(silence_id)
            if silence.state(now) is SilenceState.EXPIRED:
                return silence
            gone = silence.expired(now)
            await self._save([SilenceChange(gone, Action.EXPIRED, now, by or silence.created_by)])
            return gone

    def muting(self, labels: Labels, now: Timestamp) -> tuple[str, ...]:
        """Return the ids of the silences that mute an alert now, in order."""
        return tuple(sorted(s.id for s in self._book.matching(labels) if s.mutes_at(now)))

    def muted_by(self, labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return the same at the moment a group is due."""
        return self.muting(labels, moment.at)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Learn which alerts changed: an acknowledgement may have come to its end."""
        if any(alert.status(now) is AlertStatus.RESOLVED for alert in alerts):
            self._ended.set()

    async def end_acknowledged(self, now: Timestamp) -> int:
        """Expire the silences whose alerts are over; return how many."""
        waiting = [s for s in self._book if s.until_resolved and s.mutes_at(now)]
        if not waiting:
            return 0
        firing = [alert.labels for alert in self._firing()]
        over = [s for s in waiting if not any(s.matches(labels) for labels in firing)]
        for silence in over:
            await self.expire(silence.id, by=RESOLVED)
        return len(over)

    async def gc(self, now: Timestamp) -> int:
        """Forget silences that expired long ago; return how many. Raises Unavailable."""
        async with self._writing:
            old = now - self._options.retention
            gone = [silence.id for silence in self._book if silence.ends_at <= old]
            if gone:
                await self._repository.delete(gone)
            for silence_id in gone:
                self._book.remove(silence_id)
        return len(gone)

    async def run(self) -> None:
        """End acknowledgements as their alerts end, and collect what is old, until cancelled."""
        while True:
            await sleep_unless(self._clock, self._ended, self._options.gc_interval / 1000)
            self._ended.clear()
            now = self._clock.now()
            try:
                await self.end_acknowledged(now)
                await self.gc(now)
            except ControlPlaneError as error:
                log.warning("silences could not be collected", error=str(error))

    async def _save(self, changes: Sequence[SilenceChange]) -> None:
        await self._repository.save(changes)
        for change in changes:
            self._book.put(change.silence)
            self._metrics.changes.labels(change.action.value).inc()
            log.info(
                "silence changed",
                silence=change.silence.id,
                action=change.action.value,
                by=change.by,
            )

    def _count(self, state: SilenceState) -> int:
        now = self._clock.now()
        return sum(silence.state(now) is state for silence in self._book)
