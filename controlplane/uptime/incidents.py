"""All incidents: begun, told on, ended by people."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from controlplane.clock import Clock
from controlplane.errors import InvalidInput, NotFound, Outdated, TooLarge
from controlplane.model.origin import Origin
from controlplane.uptime.incident import Impact, Incident, Stage, Update
from controlplane.uptime.ports import IncidentRepository

LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 4_000
_MOST_UPDATES: Final = 200
_MOST_OPEN: Final = 200


# Is told of an incident after its change is durable, on the event loop. Must return at once.
IncidentListener = Callable[[Incident], None]


class Incidents:
    """Every incident that is kept: durable first, then in memory, then told."""

    def __init__(self, repository: IncidentRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock
        self._by_id: dict[str, Incident] = {}
        self._lock = asyncio.Lock()
        self._listeners: list[tuple[IncidentListener, Origin | None]] = []

    def subscribe(self, listener: IncidentListener, *, origin: Origin | None = None) -> None:
        """Tell `listener` of each change, or of those of one origin."""
        self._listeners.append((listener, origin))

    async def load(self) -> None:
        """Read all incidents anew. Raises Unavailable."""
        async with self._lock:
            self._by_id = {each.id: each for each in await self._repository.load()}

    async def refresh(self, ids: Collection[str] | None = None) -> None:
        """Take up what other replicas wrote, of some incidents or of all. Raises Unavailable."""
        async with self._lock:
            await self._reread(ids)

    def list(self) -> Sequence[Incident]:
        """Return all incidents, the newest first."""
        return sorted(self._by_id.values(), key=lambda each: (-each.created_at, each.id))

    def get(self, incident_id: str) -> Incident:
        """Return an incident. Raises NotFound."""
        found = self._by_id.get(incident_id)
        if found is None:
            raise NotFound(f"there is no incident {incident_id!r}")
        return found

    async def open(
        self,
        title: str,
        text: str,
        *,
        by: str,
        impact: Impact = Impact.DEGRADED,
        pages: Sequence[str] = (),
        services: Sequence[str] = (),
        stage: Stage = Stage.INVESTIGATING,
    ) -> Incident:
        """Begin an incident. Raises InvalidInput, TooLarge when too many are open, Unavailable."""
        title = _said(title, LONGEST_TITLE, "/title")
        update = self._update(stage, text, by)
        if sum(each.resolved_at is None for each in self._by_id.values()) >= _MOST_OPEN:
            raise TooLarge(f"{_MOST_OPEN} incidents are open: resolve some of them")
        incident = Incident(
            uuid.uuid4().hex, title, impact, tuple(pages), tuple(services), (update,)
        )
        async with self._lock:
            await self._save(incident)
        return incident

    async def update(
        self, incident_id: str, text: str, *, by: str, stage: Stage, impact: Impact | None = None
    ) -> Incident:
        """Add an update; one after the end opens the incident again.

        Raises NotFound, InvalidInput, TooLarge, Unavailable.
        """
        update = self._update(stage, text, by)
        async with self._lock:
            try:
                return await self._add(incident_id, update, impact)
            except Outdated as error:
                # Another replica added one first: this one comes after it.
                await self._reread(error.keys)
                return await self._add(incident_id, update, impact)

    async def delete(self, incident_id: str) -> None:
        """Remove an incident that should not have been written. Raises NotFound, Unavailable."""
        async with self._lock:
            gone = self.get(incident_id)
            await self._repository.delete(incident_id)
            del self._by_id[incident_id]
            self._tell(gone, Origin.HERE)

    async def _add(self, incident_id: str, update: Update, impact: Impact | None) -> Incident:
        old = self.get(incident_id)
        if len(old.updates) >= _MOST_UPDATES:
            raise TooLarge(f"an incident has at most {_MOST_UPDATES} updates")
        new = replace(old, impact=impact or old.impact, updates=(*old.updates, update))
        await self._save(new)
        return new

    async def _save(self, incident: Incident) -> None:
        await self._repository.save(incident, self._by_id.get(incident.id))
        self._by_id[incident.id] = incident
        self._tell(incident, Origin.HERE)

    async def _reread(self, ids: Collection[str] | None) -> None:
        """Make incidents those that are kept, and tell those that differ."""
        rows = await (self._repository.load() if ids is None else self._repository.find(ids))
        kept = {each.id: each for each in rows}
        asked = {*kept, *self._by_id} if ids is None else ids
        for name in asked:
            old, new = self._by_id.get(name), kept.get(name)
            if new is not None and new != old:
                self._by_id[name] = new
                self._tell(new, Origin.ELSEWHERE)
            elif new is None and old is not None:
                del self._by_id[name]
                self._tell(old, Origin.ELSEWHERE)

    def _tell(self, incident: Incident, origin: Origin) -> None:
        for listener, wanted in self._listeners:
            if wanted in (None, origin):
                listener(incident)

    def _update(self, stage: Stage, text: str, by: str) -> Update:
        return Update(self._clock.now(), stage, _said(text, LONGEST_TEXT, "/text"), by)


def _said(text: str, longest: int, pointer: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidInput("must say something", pointer=pointer)
    if len(text) > longest:
        raise InvalidInput(f"at most {longest} characters", pointer=pointer)
    return text
