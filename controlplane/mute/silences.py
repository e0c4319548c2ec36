"""The silences: set, changed, expired, durable before they count."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.errors import (
    Conflict,
    ControlPlaneError,
    InvalidInput,
    NotFound,
    Outdated,
    Overloaded,
)
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.origin import Origin
from controlplane.mute.book import Book
from controlplane.mute.metrics import MuteMetrics
from controlplane.mute.options import SilenceOptions
from controlplane.mute.ports import FiringAlerts, Moment, Past, SilenceRepository
from controlplane.mute.preview import Preview, preview
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
# How often a change is decided at most, when other replicas are quicker each time.
_TRIES: Final = 5

Result = TypeVar("Result")


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
        past: Past,
        options: SilenceOptions | None = None,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._firing = firing
        self._past = past
        self._options = options or SilenceOptions()
        self._book = Book()
        self._writing = asyncio.Lock()
        self._over: set[str] = set()
        self._ended = asyncio.Event()
        self._subscribers: list[tuple[Callable[[], None], Origin | None]] = []
        for state in SilenceState:
            metrics.observe(state.value, partial(self._count, state))

    def configure(self, options: SilenceOptions) -> None:
        """Use other bounds from now on; silences that are there already stay."""
        self._options = options

    async def load(self) -> None:
        """Take up what was kept. Raises Unavailable."""
        for silence in await self._repository.load():
            self._book.put(silence)

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Take up what other replicas changed, of some silences or of all. Raises Unavailable."""
        async with self._writing:
            await self._reread(ids)

    def subscribe(self, changed: Callable[[], None], *, origin: Origin | None = None) -> None:
        """Have `changed` called after every change, or those of one origin; it must not block."""
        self._subscribers.append((changed, origin))

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
        return await self._alone(lambda: self._set(silence, by or silence.created_by))

    async def set_once(self, silence: Silence, *, by: str) -> tuple[Silence, bool]:
        """Create a silence, unless one that says the same is there: that one ends as this would.

        Return it, and whether it is new: to ask twice makes no second one.
        Raises InvalidInput, Overloaded, Unavailable.
        """
        return await self._alone(lambda: self._set_once(silence, by))

    async def acknowledge(
        self, labels: Labels, *, author: str, comment: str, until: Timestamp, by: str
    ) -> tuple[Silence, bool]:
        """Silence the alert with exactly these labels until it resolves, `until` at most.

        Return the silence, and whether it is new: an alert is acknowledged
        once. Raises InvalidInput, Overloaded, Unavailable.
        """
        matchers = tuple(Matcher(name, MatchOp.EQUAL, value) for name, value in labels.pairs)
        new = Silence(matchers, 0, until, author, comment, until_resolved=True)
        return await self._alone(lambda: self._acknowledge(new, labels, by))

    async def change(
        self, silence_id: str, edit: Callable[[Silence], Silence], *, by: str
    ) -> Silence:
        """Change the end or the words of a silence, under its id.

        Raises NotFound, Conflict when it has ended, InvalidInput, Unavailable.
        """
        return await self._alone(lambda: self._change(silence_id, edit, by))

    async def expire(self, silence_id: str, *, by: str = "") -> Silence:
        """End a silence now; one that has ended stays as it is. Raises NotFound, Unavailable."""
        return await self._alone(lambda: self._expire(silence_id, by))

    def muting(self, labels: Labels, now: Timestamp) -> tuple[str, ...]:
        """Return the ids of the silences that mute an alert now, in order."""
        return tuple(sorted(s.id for s in self._book.matching(labels) if self._mutes(s, now)))

    def muted_by(self, labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return the same at the moment a group is due."""
        return self.muting(labels, moment.at)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Learn which alerts changed: an acknowledgement ends with the last one that it matches.

        From here on it mutes nothing, also not when the alert fires again at once.
        """
        ended = (a.labels for a in alerts if a.status(now) is AlertStatus.RESOLVED)
        waiting = {
            silence.id
            for labels in ended
            for silence in self._book.matching(labels)
            if silence.until_resolved and silence.state(now) is SilenceState.ACTIVE
        }
        if waiting:
            self._over |= self._without_alerts(waiting)
            self._ended.set()

    async def end_acknowledged(self, now: Timestamp) -> int:
        """Expire the silences whose alerts are over; return how many. Raises Unavailable."""
        waiting = {
            silence.id
            for silence in self._book
            if silence.until_resolved and silence.state(now) is SilenceState.ACTIVE
        }
        over = waiting & (self._without_alerts(waiting) | self._over) if waiting else waiting
        for silence_id in sorted(over):
            await self.expire(silence_id, by=RESOLVED)
        self._over -= over
        return len(over)

    async def preview(self, silence: Silence, since: Timestamp) -> Preview:
        """Return what a silence hides, and would have hidden. Raises InvalidInput, Unavailable."""
        check(silence, self._options)
        now = self._clock.now()
        return await preview(silence, self._past, self._firing(), since=since, now=now)

    async def gc(self, now: Timestamp) -> int:
        """Forget silences that expired long ago; return how many. Raises Unavailable."""
        async with self._writing:
            old = now - self._options.retention
            gone = [silence.id for silence in self._book if silence.ends_at <= old]
            if gone:
                await self._repository.delete(gone)
            for silence_id in gone:
                self._book.remove(silence_id)
            self._over.intersection_update(silence.id for silence in self._book)
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

    async def _alone(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Run a change under the lock; anew when another replica was quicker."""
        async with self._writing:
            for _ in range(_TRIES - 1):
                try:
                    return await change()
                except Outdated as error:
                    await self._reread(error.keys)
            return await change()

    # Below, the lock is held.

    async def _set_once(self, silence: Silence, by: str) -> tuple[Silence, bool]:
        now = self._clock.now()
        check(silence, self._options)
        twin = next((kept for kept in self._book if self._stands(kept, silence, now)), None)
        if twin is None:
            return await self._set(silence, by), True
        if twin.ends_at == silence.ends_at:
            return twin, False
        return await self._set(replace(twin, ends_at=silence.ends_at), by), False

    async def _acknowledge(self, new: Silence, labels: Labels, by: str) -> tuple[Silence, bool]:
        now = self._clock.now()
        for kept in self._book.matching(labels):
            if kept.until_resolved and kept.matchers == new.matchers and self._mutes(kept, now):
                return kept, False
        return await self._set(replace(new, starts_at=now), by), True

    async def _change(
        self, silence_id: str, edit: Callable[[Silence], Silence], by: str
    ) -> Silence:
        now = self._clock.now()
        old = self.get(silence_id)
        if old.state(now) is SilenceState.EXPIRED or silence_id in self._over:
            raise Conflict(f"silence {silence_id} has ended: create another one")
        new = edit(old)
        if new == old:
            return old
        if new.ends_at <= now:
            raise InvalidInput("it would have ended: delete it instead", pointer="/ends_at")
        return await self._set(new, by)

    async def _expire(self, silence_id: str, by: str) -> Silence:
        now = self._clock.now()
        silence = self.get(silence_id)
        if silence.state(now) is SilenceState.EXPIRED:
            return silence
        gone = silence.expired(now)
        await self._save([SilenceChange(gone, Action.EXPIRED, now, by or silence.created_by)])
        return gone

    async def _set(self, silence: Silence, by: str) -> Silence:
        now = self._clock.now()
        old = self.get(silence.id) if silence.id else None
        check(silence, self._options)
        if old is not None and can_become(old, silence, now):
            changed = replace(silence, updated_at=now)
            await self._save([SilenceChange(changed, Action.CHANGED, now, by)])
            return changed
        if len(self._book) >= self._options.max_silences:
            raise Overloaded(f"more than {self._options.max_silences} silences are kept")
        new = replace(
            silence, id=str(uuid4()), starts_at=max(silence.starts_at, now), updated_at=now
        )
        check(new, self._options)
        changes = [SilenceChange(new, Action.CREATED, now, by)]
        if old is not None and old.state(now) is not SilenceState.EXPIRED:
            changes.append(SilenceChange(old.expired(now), Action.EXPIRED, now, by))
        await self._save(changes)
        if new.until_resolved:
            self._ended.set()  # its alerts may have ended meanwhile
        return new

    def _stands(self, kept: Silence, asked: Silence, now: Timestamp) -> bool:
        return kept.says_what(asked, now) and kept.id not in self._over

    def _mutes(self, silence: Silence, now: Timestamp) -> bool:
        return silence.id not in self._over and silence.mutes_at(now)

    def _without_alerts(self, silence_ids: Iterable[str]) -> frozenset[str]:
        """Return those of some silences that match no alert that fires."""
        left = set(silence_ids)
        for alert in self._firing():
            if not left:
                break
            left.difference_update(s.id for s in self._book.matching(alert.labels))
        return frozenset(left)

    async def _save(self, changes: Sequence[SilenceChange]) -> None:
        """Keep changes, then have them count.

        Who is cancelled meanwhile leaves when that is done: what is durable is
        never unknown here, and the caller's lock is held until then.
        """
        saving = asyncio.create_task(self._keep(changes))
        try:
            await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait([saving])
            if not saving.cancelled() and (problem := saving.exception()) is not None:
                log.warning("a silence was not saved", error=str(problem))
            raise

    async def _keep(self, changes: Sequence[SilenceChange]) -> None:
        known = {change.silence.id: self._book.get(change.silence.id) for change in changes}
        await self._repository.save(changes, known)
        for change in changes:
            self._book.put(change.silence)
            self._metrics.changes.labels(change.action.value).inc()
            log.info(
                "silence changed",
                silence=change.silence.id,
                action=change.action.value,
                by=change.by,
            )
        self._tell(Origin.HERE)

    async def _reread(self, ids: Collection[str] | None) -> None:
        """Make silences those that are kept, and tell when some differ."""
        if ids is None:
            found = await self._repository.load()
            ids = {silence.id for silence in (*found, *self._book)}
        else:
            found = await self._repository.find(ids)
        kept = {silence.id: silence for silence in found}
        different = [name for name in ids if kept.get(name) != self._book.get(name)]
        for name in different:
            if name in kept:
                self._book.put(kept[name])
            else:
                self._book.remove(name)
                self._over.discard(name)
        if different:
            self._tell(Origin.ELSEWHERE)

    def _tell(self, origin: Origin) -> None:
        for changed, wanted in self._subscribers:
            if wanted in (None, origin):
                changed()

    def _count(self, state: SilenceState) -> int:
        now = self._clock.now()
        return sum(silence.state(now) is state for silence in self._book)
