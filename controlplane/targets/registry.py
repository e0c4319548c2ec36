"""The registry: every change is durable first, then in memory, then told."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from controlplane.clock import Timestamp
from controlplane.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    Outdated,
    TooLarge,
    Unavailable,
)
from controlplane.model.labels import EMPTY
from controlplane.model.origin import Origin
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.targets.dependencies import check_dependencies
from controlplane.targets.feed import ChangeFeed
from controlplane.targets.index import Entry, Page, Query, State, TargetIndex, page, state_of
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.mirror import Mirror
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import (
    LastOutcome,
    ProberOf,
    TargetListener,
    TargetRepository,
)
from controlplane.targets.renewals import Renewals
from controlplane.targets.validation import check_labels, check_spec
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

Result = TypeVar("Result")

# How often a change is decided at most, when other replicas are quicker each time.
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Edit:
    """What a PATCH leads to: the whole registration, and the operator's part."""

    spec: TargetSpec
    paused: bool
    labels: Mapping[str, str]

    @classmethod
    def of(cls, target: Target) -> "Edit":
        """Return the target as it stands, for a caller to replace parts of it."""
        return cls(target.spec, target.operator.paused, target.operator.labels)


class TargetRegistry:
    """All targets, whoever owns them. Belongs to one event loop.

    Start with `load`, then `apply_file`. Changes queue up before one lock, so
    listeners hear of them in the order in which they became durable. A change
    that was begun is finished even if its caller goes away. Replicas that share
    a database each have one: what another changed is taken up by `refresh`, and
    found out when it is written.
    """

    def __init__(
        self,
        repository: TargetRepository,
        *,
        options: TargetOptions,
        prober_of: ProberOf,
        last_outcome: LastOutcome,
        metrics: TargetMetrics,
    ) -> None:
        self._repository = repository
        self._options = options
        self._prober_of = prober_of
        self._last_outcome = last_outcome
        self._metrics = metrics
        self._index = TargetIndex()
        self._lock = asyncio.Lock()
        self._renewals = Renewals(self._commit_renewals, self._lock)
        self._feed = ChangeFeed(metrics)
        self._mirror = Mirror(self._index, self._feed, metrics)
        self._tasks: set[asyncio.Task[Any]] = set()
        # What must be read anew before the next change: all, when a write failed
        # half-way, or targets that another replica changed.
        self._in_doubt = False
        self._doubted: set[str] = set()

    # Reading: from memory, at once.

    def __iter__(self) -> Iterator[Target]:
        return iter(tuple(self._index))

    def __len__(self) -> int:
        return len(self._index)

    @property
    def version(self) -> int:
        """Moves when a target comes, goes, or carries other labels."""
        return self._index.version

    def get(self, target_id: str) -> Target:
        """Return a target. Raises NotFound."""
        target = self._index.get(target_id)
        if target is None:
            raise NotFound(f"there is no target {target_id!r}")
        return target

    def named(self, name: str) -> Target | None:
        """Return the target of that name, or None."""
        return self._index.named(name)

    def state(self, target: Target) -> State:
        """Return how a target stands by its last probe."""
        return state_of(target, self._last_outcome)

    def find(self, query: Query) -> Page:
        """Return a page of targets by name, each with its state. Raises InvalidInput."""
        return page(self._index.ordered(), query, self._last_outcome)

    def entries(self) -> Sequence[Entry]:
        """Return all targets by name, each with its labels: a snapshot, safe in any thread."""
        return self._index.ordered()

    def subscribe(
        self, listener: TargetListener, *, origin: Origin | None = None
    ) -> Callable[[], None]:
        """Tell `listener` of every target (as added) now, and of each change later.

        A renewal is no change. With an origin, only of later changes made there.
        Returns what ends the subscription.
        """
        return self._feed.subscribe(listener, self, origin)

    def configure(self, options: TargetOptions) -> None:
        """Use other limits from now on; targets that are there already stay."""
        self._options = options

    # Changing: durable when the await returns.

    async def load(self) -> None:
        """Read every target from the repository. Raises Unavailable."""
        async with self._lock:
            await self._reload(Origin.ELSEWHERE)

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Take up what other replicas changed, of some targets or of all. Raises Unavailable."""
        async with self._lock:
            if ids is None:
                await self._reload(Origin.ELSEWHERE)
            else:
                await self._reread(ids, Origin.ELSEWHERE)

    async def refresh_renewals(self, ids: Collection[str] | None = None) -> None:
        """Take up when targets were renewed; of all, `refresh` has read it. Raises Unavailable."""
        if ids is None:
            return
        async with self._lock:
            for target_id, at in (await self._repository.renewed(ids)).items():
                target = self._index.get(target_id)
                if target is not None and target.renewed_at != at:
                    self._index.renew(replace(target, renewed_at=at))

    async def register(self, spec: TargetSpec, now: Timestamp) -> tuple[Target, bool]:
        """Add the target, or replace all that its service said of it; return it and whether new.

        Renews the lease; what an operator set stays. Raises InvalidInput,
        Conflict when a file owns the name, TooLarge, Unavailable.
        """
        check_spec(spec, self._options, self._prober_of)
        known = self._owned_by_api(self._index.named(spec.name))
        if known is not None and known.spec == spec:
            with suppress(NotFound):  # another replica has removed it
                return await self.renew(known.id, now), False
        return await self._alone(lambda: self._register(spec, now))

    async def renew(self, target_id: str, now: Timestamp) -> Target:
        """Renew the lease; without one this only notes the time. Raises NotFound, Unavailable."""
        self.get(target_id)
        await self._renewals.add(target_id, now)
        return self.get(target_id)

    async def update(
        self, target_id: str, edit: Callable[[Edit], Edit], *, actor: str, now: Timestamp
    ) -> Target:
        """Replace parts of a target by what `edit` makes of it as it stands then.

        Pausing and label overrides are the operator's, noted with `actor`, and
        work on any target; the rest only on one that no file owns. Raises
        NotFound, InvalidInput, Conflict, Unavailable, and what `edit` raises.
        """
        return await self._alone(lambda: self._update(target_id, edit, actor, now))

    async def delete(self, target_id: str) -> None:
        """Remove a target. Raises NotFound, Conflict when a file owns it, Unavailable."""
        await self._alone(lambda: self._delete(target_id))

    def check_file(self, specs: Sequence[TargetSpec]) -> None:
        """Return when the file's targets can be applied. Raises InvalidInput."""
        seen: set[str] = set()
        for spec in specs:
            check_spec(spec, self._options, self._prober_of)
            if spec.name in seen:
                raise InvalidInput(f"the name {spec.name!r} is used twice", pointer="/name")
            seen.add(spec.name)

    async def apply_file(self, specs: Sequence[TargetSpec], now: Timestamp) -> None:
        """Make the file's targets these. Raises InvalidInput, Unavailable.

        A file takes over a name that a service had registered, with its id and
        what an operator set; a target that left the file is removed.
        """
        self.check_file(specs)
        await self._alone(lambda: self._apply_file(specs, now))

    async def expire(
        self, now: Timestamp, mine: Callable[[str], bool] = lambda _target_id: True
    ) -> None:
        """Remove what has been expired for the configured time. Raises Unavailable.

        Of several replicas each removes the targets that are its own.
        """
        if any(mine(target.id) for target in self._long_expired(now)):
            await self._alone(lambda: self._expire(now, mine))

    # Below, the lock is held.

    async def _register(self, spec: TargetSpec, now: Timestamp) -> tuple[Target, bool]:
        known = self._owned_by_api(self._index.named(spec.name))
        if known is None and len(self._index) >= self._options.max_targets:
            raise TooLarge(f"the registry is full: it holds {len(self._index)} targets")
        check_dependencies(spec, self)
        target = (
            _new(spec, Provenance.API, now)
            if known is None
            else replace(known, spec=spec, updated_at=now, renewed_at=max(now, known.renewed_at))
        )
        await self._save(target)
        self._metrics.renewals.inc()
        return target, known is None

    async def _update(
        self, target_id: str, edit: Callable[[Edit], Edit], actor: str, now: Timestamp
    ) -> Target:
        target = self.get(target_id)
        before = Edit.of(target)
        after = edit(before)
        if after.spec != before.spec:
            self._check_change(target, after.spec)
            target = replace(target, spec=after.spec, updated_at=now)
        labels = dict(after.labels)
        if after.paused != before.paused or labels != dict(before.labels):
            check_labels(labels, "/label_overrides")
            operator = Operator(after.paused, labels or EMPTY, actor, now)
            target = replace(target, operator=operator, updated_at=now)
        await self._save(target)
        return target

    def _check_change(self, target: Target, spec: TargetSpec) -> None:
        self._owned_by_api(target)
        if spec.name != target.name:
            raise InvalidInput("a target keeps its name", pointer="/name")
        check_spec(spec, self._options, self._prober_of)
        check_dependencies(spec, self)

    async def _delete(self, target_id: str) -> None:
        target = self.get(target_id)
        self._owned_by_api(target)
        await self._commit((), [target])

    async def _apply_file(self, specs: Sequence[TargetSpec], now: Timestamp) -> None:
        wanted = {spec.name for spec in specs}
        gone = [
            target
            for target in self
            if target.provenance is Provenance.FILE and target.name not in wanted
        ]
        changed = [self._from_file(spec, now) for spec in specs]
        await self._commit([target for target in changed if self._differs(target)], gone)

    def _from_file(self, spec: TargetSpec, now: Timestamp) -> Target:
        known = self._index.named(spec.name)
        if known is None:
            return _new(spec, Provenance.FILE, now)
        if known.spec == spec and known.provenance is Provenance.FILE:
            return known
        return replace(known, spec=spec, provenance=Provenance.FILE, updated_at=now, renewed_at=now)

    async def _expire(self, now: Timestamp, mine: Callable[[str], bool]) -> None:
        removed = [target for target in self._long_expired(now) if mine(target.id)]
        await self._commit((), removed)
        self._metrics.leases_removed.inc(len(removed))
        for target in removed:
            log.info("target removed, its lease ran out long ago", target=target.name)

    def _long_expired(self, now: Timestamp) -> list[Target]:
        before = now - self._options.lease_removal_after
        return [
            target
            for target in self._index
            # A file's target would come back with the next reload: the file decides.
            if target.provenance is not Provenance.FILE
            and target.expires_at is not None
            and target.expires_at <= before
        ]

    async def _commit_renewals(self, renewals: Mapping[str, Timestamp]) -> None:
        current = [self._index.get(target_id) for target_id in renewals]
        renewed = [
            replace(target, renewed_at=max(renewals[target.id], target.renewed_at))
            for target in current
            if target is not None
        ]
        gone = await self._repository.renew({t.id: t.renewed_at for t in renewed})
        for target in renewed:
            if target.id not in gone:
                self._index.renew(target)
        self._mirror.publish((), [t for t in renewed if t.id in gone], Origin.ELSEWHERE)
        self._metrics.renewals.inc(len(renewed) - len(gone))

    async def _alone(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Run a change under the lock, to its end; anew when another replica was quicker."""

        async def locked() -> Result:
            async with self._lock:
                for _ in range(_TRIES - 1):
                    await self._catch_up()
                    with suppress(Outdated):
                        return await change()
                await self._catch_up()
                return await change()

        task = asyncio.create_task(locked())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _catch_up(self) -> None:
        """Read anew what is in doubt."""
        if self._in_doubt:
            await self._reload(Origin.HERE)
        elif self._doubted:
            await self._reread(self._doubted, Origin.ELSEWHERE)

    async def _save(self, target: Target) -> None:
        if self._differs(target):
            await self._commit([target], ())

    def _differs(self, target: Target) -> bool:
        return self._index.get(target.id) != target

    async def _commit(self, changed: Sequence[Target], removed: Sequence[Target]) -> None:
        known = {t.id: old for t in changed if (old := self._index.get(t.id)) is not None}
        try:
            if removed:
                await self._repository.delete(removed)
            if changed:
                await self._repository.save(changed, known)
        except (Conflict, Unavailable) as error:
            if isinstance(error, Outdated) and error.keys:
                self._doubted |= error.keys | {target.id for target in removed}
            else:
                self._in_doubt = True
            raise
        self._mirror.publish(changed, removed, Origin.HERE)

    async def _reload(self, origin: Origin) -> None:
        found = await self._repository.load()
        self._in_doubt = False
        self._doubted.clear()
        self._mirror.take_up(found, {target.id for target in self}, origin)

    async def _reread(self, ids: Collection[str], origin: Origin) -> None:
        ids = frozenset(ids)
        found = await self._repository.find(ids)
        self._doubted -= ids
        self._mirror.take_up(found, ids, origin)

    def _owned_by_api(self, target: Target | None) -> Target | None:
        if target is not None and target.provenance is Provenance.FILE:
            raise Conflict(f"{target.name!r} is owned by the configuration file")
        return target


def _new(spec: TargetSpec, provenance: Provenance, now: Timestamp) -> Target:
    return Target(
        id=uuid.uuid4().hex,
        spec=spec,
        provenance=provenance,
        created_at=now,
        updated_at=now,
        renewed_at=now,
    )
