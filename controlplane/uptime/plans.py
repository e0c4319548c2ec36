"""All planned maintenance: what the file says, and what was planned by the API."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from controlplane.clock import Clock, Timestamp
from controlplane.errors import Conflict, InvalidInput, NotFound, Outdated, TooLarge
from controlplane.model.duration import DAY
from controlplane.model.origin import Origin
from controlplane.model.target import Provenance
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.ports import Labelled, MaintenanceRepository

_LONGEST: Final = 366 * DAY
_MOST: Final = 1_000


class Plans:
    """All planned maintenance, the file's and the API's. Belongs to one event loop."""

    def __init__(
        self,
        repository: MaintenanceRepository,
        clock: Clock,
        targets: Callable[[], Sequence[Labelled]],
        version: Callable[[], int],
    ) -> None:
        """`version` moves whenever `targets` would return others."""
        self._repository = repository
        self._clock = clock
        self._targets = targets
        self._version = version
        self._file: tuple[Maintenance, ...] = ()
        self._own: dict[str, Maintenance] = {}
        self._lock = asyncio.Lock()
        self._selected: dict[Maintenance, AbstractSet[str]] = {}
        self._selected_of = -1
        self._listeners: list[tuple[Callable[[], None], Origin | None]] = []

    def subscribe(self, listener: Callable[[], None], *, origin: Origin | None = None) -> None:
        """Tell `listener` of each change, or of those of one origin."""
        self._listeners.append((listener, origin))

    async def load(self) -> None:
        """Read the plans of the API anew. Raises Unavailable."""
        async with self._lock:
            self._own = {plan.id: plan for plan in await self._repository.load()}

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Take up what other replicas planned, of some plans or of all. Raises Unavailable."""
        async with self._lock:
            await self._reread(ids)

    def configure(self, plans: Sequence[Maintenance]) -> None:
        """Make the file's plans these."""
        self._file = tuple(
            replace(plan, provenance=Provenance.FILE, id=f"file-{place}")
            for place, plan in enumerate(plans)
        )
        self._tell(Origin.HERE)

    def __iter__(self) -> Iterator[Maintenance]:
        """Iterate over all plans, those that begin first first."""
        return iter(
            sorted((*self._file, *self._own.values()), key=lambda plan: (plan.starts_at, plan.id))
        )

    def get(self, plan_id: str) -> Maintenance:
        """Return a plan. Raises NotFound."""
        for plan in self:
            if plan.id == plan_id:
                return plan
        raise NotFound(f"there is no maintenance {plan_id!r}")

    async def add(self, plan: Maintenance) -> Maintenance:
        """Plan maintenance, which ends within a year. Raises InvalidInput, TooLarge, Unavailable.

        What has passed already stays as it was counted.
        """
        if plan.ends_at is None or plan.ends_at > self._clock.now() + _LONGEST:
            raise InvalidInput("it must end within a year", pointer="/ends_at")
        now = self._clock.now()
        if sum(not each.is_over(now) for each in self._own.values()) >= _MOST:
            raise TooLarge(f"at most {_MOST} plans")
        plan = replace(plan, id=uuid.uuid4().hex, provenance=Provenance.API)
        async with self._lock:
            await self._repository.save(plan, None)
            self._own[plan.id] = plan
        self._tell(Origin.HERE)
        return plan

    async def end(self, plan_id: str) -> None:
        """End a plan now, or drop one that has not begun.

        Raises NotFound, Conflict when a file owns it, Unavailable.
        """
        async with self._lock:
            try:
                await self._end(plan_id)
            except Outdated as error:
                # Another replica ended it first.
                await self._reread(error.keys)
                await self._end(plan_id)

    def maintained(self, at: Timestamp) -> AbstractSet[str]:
        """Return the ids of the targets that are in maintenance at an instant."""
        found: set[str] = set()
        for plan in self:
            if plan.covers(at):
                found |= self.selected(plan)
        return found

    def selected(self, plan: Maintenance) -> AbstractSet[str]:
        """Return the ids of the targets that a plan concerns."""
        if self._selected_of != (version := self._version()):
            self._selected.clear()
            self._selected_of = version
        if (known := self._selected.get(plan)) is None:
            known = self._selected[plan] = {
                target_id for target_id, labels in self._targets() if plan.selects(labels)
            }
        return known

    async def _end(self, plan_id: str) -> None:
        plan, now = self.get(plan_id), self._clock.now()
        if plan.provenance is Provenance.FILE:
            raise Conflict("a file owns this maintenance: change the file")
        if plan.is_over(now):
            return
        if plan.starts_at >= now:
            await self._repository.delete(plan_id)
            del self._own[plan_id]
        else:
            ended = replace(plan, ends_at=now)
            await self._repository.save(ended, plan)
            self._own[plan_id] = ended
        self._tell(Origin.HERE)

    async def _reread(self, ids: Collection[str] | None) -> None:
        """Make the plans of the API those that are kept, and tell when some differ."""
        rows = await (self._repository.load() if ids is None else self._repository.find(ids))
        kept = {plan.id: plan for plan in rows}
        asked = {*kept, *self._own} if ids is None else ids
        own = {name: plan for name, plan in self._own.items() if name not in asked} | kept
        if own != self._own:
            self._own = own
            self._tell(Origin.ELSEWHERE)

    def _tell(self, origin: Origin) -> None:
        self._selected.clear()
        for listener, wanted in self._listeners:
            if wanted in (None, origin):
                listener()
