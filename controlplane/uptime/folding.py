"""Rows that are over, added up into one cell each of the level above."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.duration import DAY, HOUR
from controlplane.uptime.cells import Cells, Level, add_up, empty_row, pack, unpack
from controlplane.uptime.metrics import UptimeMetrics
from controlplane.uptime.ports import PackedRow, RollupRepository

# What is older than this is not there any more to be added up.
_OLDEST: Final = {Level.MINUTE: 48 * HOUR, Level.HOUR: 90 * DAY}
_BATCH: Final = 1_000


class Folder:
    """Adds up minutes into hours and hours into days; begun again, it comes to the same.

    Where several replicas write rows it looks each time how far all have been
    added up: rows that came late are due again.
    """

    def __init__(
        self, repository: RollupRepository, metrics: UptimeMetrics, *, alone: bool = True
    ) -> None:
        self._repository = repository
        self._metrics = metrics
        self._alone = alone
        self._write = repository.put if alone else repository.merge
        self._until: dict[Level, Timestamp] = {}

    async def fold(self, now: Timestamp) -> None:
        """Add up every row that is over by now and was not yet. Raises Unavailable."""
        if not (self._alone and self._until):
            self._until = dict(await self._repository.progress())
        for level in (Level.MINUTE, Level.HOUR):
            since, until = self._until.get(level), level.row_of(now)
            if since is not None and since >= until:
                continue
            for start in self._due(level, until):
                await self._fold_row(level, start)
            if await self._repository.advance(level, since, until):
                self._until[level] = until

    def _due(self, level: Level, until: Timestamp) -> Iterator[Timestamp]:
        start = self._until.get(level)
        oldest = level.row_of(until - _OLDEST[level])
        # Never begun: an earlier process may have ended before its first hour did.
        start = oldest if start is None else max(start, oldest)
        yield from range(start, until, level.span)

    async def _fold_row(self, level: Level, start: Timestamp) -> None:
        rows = await self._repository.block(level, start)
        if not rows:
            return
        above = Level(level + 1)
        begin = above.row_of(start)
        kept = await self._repository.block(above, begin)
        folded = await asyncio.to_thread(_folded, rows, level, start, kept)
        for place in range(0, len(folded), _BATCH):
            await self._write(above, begin, folded[place : place + _BATCH])
        self._metrics.rows.labels(above.name.lower()).inc(len(folded))


def _folded(
    rows: Sequence[PackedRow], level: Level, start: Timestamp, kept: Sequence[PackedRow]
) -> list[PackedRow]:
    """Return the rows above, each with the cell that the row of its subject adds up to."""
    above = Level(level + 1)
    place, packed = above.place_of(start), dict(kept)
    folded = []
    for subject, row in rows:
        cells: Cells = unpack(packed[subject], above) if subject in packed else empty_row(above)
        cells[place] = add_up(unpack(row, level))
        folded.append((subject, pack(cells)))
    return folded
