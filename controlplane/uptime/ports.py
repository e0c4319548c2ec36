"""What uptime needs of others."""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.uptime.cells import Level
from controlplane.uptime.incident import Incident
from controlplane.uptime.maintenance import Maintenance

# A row of cells as it is kept: whose, and `cells.pack` of it.
PackedRow = tuple[str, bytes]

# A target as it is known here: its id, and the labels of its series.
Labelled = tuple[str, Labels]

# Returns the ids of the targets that are in planned maintenance at an instant.
Maintained = Callable[[Timestamp], AbstractSet[str]]


class RollupRepository(Protocol):
    """Where rollups are kept, a row for each subject, level and span. All raise Unavailable."""

    async def put(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        """Insert or replace the rows of a span."""
        ...

    async def merge(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        """Put rows together with those that are kept, by `cells.merged`, as one change each.

        What has been added up of this span and is another now is due again.
        """
        ...

    async def block(self, level: Level, start: Timestamp) -> Sequence[PackedRow]:
        """Return the rows of all subjects for a span."""
        ...

    async def rows(
        self, level: Level, subjects: Collection[str], starts: Sequence[Timestamp]
    ) -> Sequence[tuple[str, Timestamp, bytes]]:
        """Return the rows of some subjects, each with its subject and where it begins."""
        ...

    async def progress(self) -> Mapping[Level, Timestamp]:
        """Return, by level, before which instant all rows have been added up one level higher."""
        ...

    async def advance(self, level: Level, since: Timestamp | None, until: Timestamp) -> bool:
        """Note that the rows of a level before an instant have been added up.

        Returns whether it was noted: `since` is what the progress was, and it
        stays when it has become another meanwhile.
        """
        ...


class IncidentRepository(Protocol):
    """Where incidents are kept. All raise Unavailable."""

    async def load(self) -> Sequence[Incident]:
        """Return every incident."""
        ...

    async def find(self, ids: Collection[str]) -> Sequence[Incident]:
        """Return those of some incidents that are kept."""
        ...

    async def save(self, incident: Incident, known: Incident | None) -> None:
        """Insert or replace an incident by its id.

        Raises Outdated when what is kept is not what is `known`.
        """
        ...

    async def delete(self, incident_id: str) -> None:
        """Remove an incident; one that is not there is passed over."""
        ...


class MaintenanceRepository(Protocol):
    """Where the planned maintenance of the API is kept. All raise Unavailable."""

    async def load(self) -> Sequence[Maintenance]:
        """Return every plan."""
        ...

    async def find(self, ids: Collection[str]) -> Sequence[Maintenance]:
        """Return those of some plans that are kept."""
        ...

    async def save(self, plan: Maintenance, known: Maintenance | None) -> None:
        """Insert or replace a plan by its id.

        Raises Outdated when what is kept is not what is `known`.
        """
        ...

    async def delete(self, plan_id: str) -> None:
        """Remove a plan; one that is not there is passed over."""
        ...
