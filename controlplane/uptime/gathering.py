"""Averages of groups whose members several replicas count: from what all of them wrote."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE
from controlplane.model.share import Share
from controlplane.uptime.cells import LATENCY_MAX, Cells, Level, empty_row, pack, unpack
from controlplane.uptime.ports import RollupRepository

# The last minute of another replica may not be written yet; what comes later than this
# (minutes that waited for the database) is averaged as long as it is not older.
_SETTLED: Final = MINUTE
_LATEST: Final = 10 * MINUTE


class Gatherer:
    """Writes the minutes of those groups that are this replica's; again, they come to the same."""

    def __init__(self, repository: RollupRepository, share: Share) -> None:
        self._repository = repository
        self._share = share

    async def gather(self, groups: Mapping[str, Sequence[str]], closed: Timestamp) -> None:
        """Average the minutes before the last one that is closed. Raises Unavailable."""
        until = closed - _SETTLED
        since = until - _LATEST
        starts = range(Level.MINUTE.row_of(since), until, Level.MINUTE.span)
        for group, members in groups.items():
            if not self._share.owns(group_key(group)):
                continue
            kept = await self._repository.rows(Level.MINUTE, members, starts)
            for start in starts:
                rows = [cells for _, begin, cells in kept if begin == start]
                if not rows:
                    continue
                places = range(
                    Level.MINUTE.place_of(max(since, start)),
                    Level.MINUTE.place_of(min(until, start + Level.MINUTE.span) - MINUTE) + 1,
                )
                row = await asyncio.to_thread(_averaged, rows, len(members), places)
                await self._repository.merge(Level.MINUTE, start, [(group, row)])


def group_key(group: str) -> str:
    """Return whose work the average of a group is, by its key in the prober's share."""
    return f"uptime/group/{group}"


def _averaged(rows: Sequence[bytes], members: int, places: range) -> bytes:
    """Return the mean over all members at some places; nothing is known of those without a row."""
    mean = empty_row(Level.MINUTE)
    cells = [each for each in map(_read, rows) if each is not None]
    if cells:
        chosen = slice(places.start, places.stop)
        several = np.stack(cells)[:, chosen]
        mean[chosen] = several.sum(axis=0, dtype=np.float32) / members
        mean[chosen, LATENCY_MAX] = several[..., LATENCY_MAX].max(axis=0)
    return pack(mean)


def _read(row: bytes) -> Cells | None:
    try:
        return unpack(row, Level.MINUTE)
    except InvalidInput:
        return None  # of this member nothing is known
