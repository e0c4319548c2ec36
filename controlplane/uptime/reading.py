"""What is known of the past of a target or a group: bars, ratios, rows to export."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.uptime.cells import (
    DOWN,
    FIELDS,
    LATENCY_MAX,
    LATENCY_SUM,
    MAINTENANCE,
    UP,
    Cells,
    Level,
    add_up,
    unpack,
)
from controlplane.uptime.ports import RollupRepository

# So many of the newest cells of a level are added up from the level below: the
# one that is not over yet, and the one before, whose adding up may be under way.
_FRESH: Final = 2


class Span(Enum):
    """What a row of bars looks back on: its length, the length of a bar, where from."""

    DAY = ("24h", DAY, 30 * MINUTE, Level.MINUTE)
    # Here DAY is the member above.
    MONTH = ("30d", 30 * 24 * HOUR, 12 * HOUR, Level.HOUR)
    QUARTER = ("90d", 90 * 24 * HOUR, 24 * HOUR, Level.DAY)

    def __init__(self, label: str, length: Duration, step: Duration, level: Level) -> None:
        self.label = label
        self.length = length
        self.step = step
        self.level = level


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time: seconds up, down, in maintenance and unknown; latency in seconds.

    Of a group the seconds are those of its average member. A latency is None
    where nothing was up.
    """

    start: Timestamp
    end: Timestamp
    up: float
    down: float
    maintenance: float
    unknown: float
    latency_avg: float | None = None
    latency_max: float | None = None

    @property
    def ratio(self) -> float | None:
        """up / (up + down): maintenance and what is unknown are left out; None without either."""
        known = self.up + self.down
        return self.up / known if known > 0 else None


class Uptime:
    """Reads rollups. A subject is the id of a target, or `group_subject` of a group."""

    def __init__(self, repository: RollupRepository) -> None:
        self._repository = repository

    async def bars(self, target_id: str, span: Span, now: Timestamp) -> Sequence[Bar]:
        """Return the bars of a span that ends now, the oldest first. Raises Unavailable."""
        return (await self.bars_of([target_id], span, now))[target_id]

    async def percent(self, target_id: str, span: Span, now: Timestamp) -> float | None:
        """Return the uptime in per cent, None when nothing is known. Raises Unavailable."""
        ratio = total(await self.bars(target_id, span, now)).ratio
        return None if ratio is None else ratio * 100

    async def bars_of(
        self, subjects: Collection[str], span: Span, now: Timestamp
    ) -> Mapping[str, Sequence[Bar]]:
        """Return the bars of several subjects. Raises Unavailable."""
        end = -(-now // span.step) * span.step
        start = end - span.length
        cells = await self._cells(subjects, span.level, start, end, now)
        return await asyncio.to_thread(_all_bars, cells, start, end, span.step, now)

    async def history(
        self, subject: str, level: Level, start: Timestamp, end: Timestamp, now: Timestamp
    ) -> Sequence[Bar]:
        """Return a bar for each cell of a level from `start` on, before `end`.

        Both are moved out to whole cells. Raises Unavailable.
        """
        start, end = start // level.unit * level.unit, -(-end // level.unit) * level.unit
        cells = await self._cells([subject], level, start, end, now)
        return _bars(cells[subject], start, end, level.unit, now)

    async def _cells(
        self,
        subjects: Collection[str],
        level: Level,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> dict[str, Cells]:
        """Return (n, FIELDS) cells of a level for each subject, zero where nothing is kept."""
        count = (end - start) // level.unit
        starts = list(range(level.row_of(start), end, level.span))
        kept = await self._repository.rows(level, subjects, starts)
        found = await asyncio.to_thread(_laid_out, kept, level, start, count)
        for subject in subjects:
            found.setdefault(subject, np.zeros((count, FIELDS), dtype=np.float32))
        if level is not Level.MINUTE:
            await self._freshen(found, level, start, end, now)
        return found

    async def _freshen(
        self,
        found: dict[str, Cells],
        level: Level,
        start: Timestamp,
        end: Timestamp,
        now: Timestamp,
    ) -> None:
        """Put what the level below knows in place of the newest cells."""
        fresh = max(start, now - now % level.unit - (_FRESH - 1) * level.unit)
        stop = min(end, now - now % level.unit + level.unit)
        if fresh >= stop:
            return
        below = Level(level - 1)
        each = level.unit // below.unit
        place, count = (fresh - start) // level.unit, (stop - fresh) // level.unit
        for subject, cells in (await self._cells(list(found), below, fresh, stop, now)).items():
            summed = add_up(cells.reshape(count, each, FIELDS))
            newest = found[subject][place : place + count]
            # What was added up already knows at least as much, if the rows below are gone.
            better = _known(summed) >= _known(newest)
            newest[better] = summed[better]


def group_subject(page: str, group: str) -> str:
    """Return under what the rollups of a group of a status page are kept."""
    return f"group/{page}/{group}"


def total(bars: Sequence[Bar]) -> Bar:
    """Return many bars as one."""
    up = sum(bar.up for bar in bars)
    weighed = sum((bar.latency_avg or 0.0) * bar.up for bar in bars)
    largest = [bar.latency_max for bar in bars if bar.latency_max is not None]
    return Bar(
        start=bars[0].start if bars else 0,
        end=bars[-1].end if bars else 0,
        up=up,
        down=sum(bar.down for bar in bars),
        maintenance=sum(bar.maintenance for bar in bars),
        unknown=sum(bar.unknown for bar in bars),
        latency_avg=weighed / up if up else None,
        latency_max=max(largest, default=None),
    )


def merged(members: Sequence[Sequence[Bar]]) -> Sequence[Bar]:
    """Return the bars of the average of several subjects with bars of the same spans."""
    count = len(members)
    merged_bars = []
    for bars in zip(*members, strict=True):
        whole = total(bars)
        merged_bars.append(
            Bar(
                start=bars[0].start,
                end=bars[0].end,
                up=whole.up / count,
                down=whole.down / count,
                maintenance=whole.maintenance / count,
                unknown=whole.unknown / count,
                latency_avg=whole.latency_avg,
                latency_max=whole.latency_max,
            )
        )
    return merged_bars


def _known(cells: Cells) -> Cells:
    known: Cells = cells[:, :LATENCY_SUM].sum(axis=1)
    return known


def _laid_out(
    kept: Sequence[tuple[str, Timestamp, bytes]], level: Level, start: Timestamp, count: int
) -> dict[str, Cells]:
    """Return the cells of rows at their places in a span of `count` cells."""
    found: dict[str, Cells] = {}
    for subject, begin, packed in kept:
        cells = found.get(subject)
        if cells is None:
            cells = found[subject] = np.zeros((count, FIELDS), dtype=np.float32)
        place = (begin - start) // level.unit
        first, last = max(0, place), min(count, place + level.size)
        if first < last:
            cells[first:last] = unpack(packed, level)[first - place : last - place]
    return found


def _all_bars(
    cells: Mapping[str, Cells], start: Timestamp, end: Timestamp, step: Duration, now: Timestamp
) -> dict[str, Sequence[Bar]]:
    return {subject: _bars(each, start, end, step, now) for subject, each in cells.items()}


def _bars(
    cells: Cells, start: Timestamp, end: Timestamp, step: Duration, now: Timestamp
) -> Sequence[Bar]:
    """Return bars of `step` from the cells between two instants, which are no longer than it."""
    count = (end - start) // step
    summed = add_up(cells.reshape(count, len(cells) // max(1, count), FIELDS))
    return [_bar(cell, start + n * step, step, now) for n, cell in enumerate(summed.tolist())]


def _bar(cell: list[float], start: Timestamp, step: Duration, now: Timestamp) -> Bar:
    up, down, maintenance = cell[UP], cell[DOWN], cell[MAINTENANCE]
    # Nothing is unknown yet of what is still to come.
    passed = max(0, min(start + step, now) - start) / 1000
    return Bar(
        start=start,
        end=start + step,
        up=up,
        down=down,
        maintenance=maintenance,
        unknown=max(0.0, passed - up - down - maintenance),
        latency_avg=cell[LATENCY_SUM] / up if up else None,
        latency_max=cell[LATENCY_MAX] if up else None,
    )
