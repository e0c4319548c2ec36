"""The registry: every change is durable first, then in memory, then told."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from controlplane.clock import Timestamp
from controlplane.errors import Conflict, InvalidInput, NotFound, TooLarge, Unavailable
from controlplane.model.labels import EMPTY
from controlplane.model.target import Operator, Provenance, Target, TargetSpec
from controlplane.targets.dependencies import Depending, cycle_through
from controlplane.targets.feed import ChangeFeed
from controlplane.targets.index import Entry, Page, Query, State, TargetIndex, page, state_of
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.options import TargetOptions
from controlplane.targets.ports import (
    Change,
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
    that was begun is finished even if its caller goes away.
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
        self._tasks: set[asyncio.Task[Any]] = set()
        # True when a write failed half-way: what is durable must be read anew.
        self._in_doubt = False

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

    def subscribe(self, listener: TargetListener) -> Callable[[], None]:
        """Tell `listener` of every target (as added) now, and of each change later.

        A renewal is no change. Returns what ends the subscription.
        """
        return self._feed.subscribe(listener, self)

    def configure(self, options: TargetOptions) -> None:
        """Use other limits from now on; targets that are there already stay."""
        self._options = options

    # Changing: durable when the await returns.

    async def load(self) -> None:
        """Read every target from the repository. Raises Unavailable."""
        async with self._lock:
            await self._reload()

    async def register(self, spec: TargetSpec, now: Timestamp) -> tuple[Target, bool]:
        """Add the target, or replace all that its service said of it; return it and whether new.

        Renews the lease; what an operator set stays. Raises InvalidInput,
        Conflict when a file owns the name, TooLarge, Unavailable.
        """
        check_spec(spec, self._options, self._prober_of)
        known = self._owned_by_api(self._index.named(spec.name))
        if known is not None and known.spec == spec:
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
        self._check_dependencies(spec)
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
        self._check_dependencies(spec)

    def _check_dependencies(self, spec: TargetSpec) -> None:
        """Refuse a registration by which a target would come to depend on itself."""
        if not spec.depends_on:
            return
        others = [Depending.of(target) for target in self if target.name != spec.name]
        if cycle := cycle_through(spec.name, [*others, Depending.of_spec(spec)]):
            raise InvalidInput(f"it would go round: {' -> '.join(cycle)}", pointer="/depends_on")

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
        await self._repository.renew({target.id: target.renewed_at for target in renewed})
        for target in renewed:
            self._index.renew(target)
        self._metrics.renewals.inc(len(renewed))

    async def _alone(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Run a change under the lock, to its end."""

        async def locked() -> Result:
            async with self._lock:
                if self._in_doubt:
                    await self._reload()
                return await change()

        task = asyncio.create_task(locked())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _save(self, target: Target) -> None:
        if self._differs(target):
            await self._commit([target], ())

    def _differs(self, target: Target) -> bool:
        return self._index.get(target.id) != target

    async def _commit(self, changed: Sequence[Target], removed: Sequence[Target]) -> None:
        try:
            if removed:
                await self._repository.delete([target.id for target in removed])
            if changed:
                await self._repository.save(changed)
        except (Conflict, Unavailable):
            self._in_doubt = True
            raise
        self._publish(changed, removed)

    async def _reload(self) -> None:
        found = {target.id: target for target in await self._repository.load()}
        self._in_doubt = False
        gone = [target for target in self if target.id not in found]
        self._publish([target for target in found.values() if self._differs(target)], gone)

    def _publish(self, changed: Sequence[Target], removed: Sequence[Target]) -> None:
        for target in removed:
            self._index.remove(target)
            self._feed.tell(Change.REMOVED, target)
        for target in changed:
            kind = Change.ADDED if self._index.get(target.id) is None else Change.CHANGED
            self._index.put(target)
            self._feed.tell(kind, target)
        for provenance in Provenance:
            self._metrics.targets.labels(provenance.value).set(self._index.counts[provenance])

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
