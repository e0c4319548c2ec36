"""What uptime needs of others."""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from controlplane.clock import Timestamp
from controlplane.uptime.cells import Level

# A row of cells as it is kept: whose, and `cells.pack` of it.
PackedRow = tuple[str, bytes]

# Returns the ids of the targets that are in planned maintenance at an instant.
Maintained = Callable[[Timestamp], AbstractSet[str]]


class RollupRepository(Protocol):
    """Where rollups are kept, a row for each subject, level and span. All raise Unavailable."""

    async def put(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        """Insert or replace the rows of a span."""
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

    async def advance(self, level: Level, until: Timestamp) -> None:
        """Note that the rows of a level before an instant have been added up."""
        ...
