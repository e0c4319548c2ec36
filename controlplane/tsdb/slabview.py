"""Reading a slab: lookups by slot, windows by matrix, counters by events."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.samples import Mask, Refs, Times, Values, is_stale
from controlplane.tsdb import runs
from controlplane.tsdb.chunk import BUSY, ROWS, Chunk
from controlplane.tsdb.lattice import BIAS, Distances, Grid, Lattice
from controlplane.tsdb.packed import PackedChunk
from controlplane.tsdb.ports import CounterWindows
from controlplane.tsdb.runs import Samples
from controlplane.tsdb.slab import Slab


@dataclass(frozen=True, slots=True)
class Found:
    """The sample looked for of each of n columns; meaningless where `found` is False."""

    slots: Refs
    times: Times
    values: Values
    found: Mask


class SlabView:
    """What one snapshot sees of a slab.

    `latest` (n,) is always the newest instant that the snapshot knows of each
    column asked for; cells beyond it belong to the writer.
    """

    __slots__ = ("_chunks", "_firsts", "_interval", "_phases", "_skewed")

    def __init__(self, slab: Slab) -> None:
        self._interval = slab.interval
        self._chunks: dict[int, Chunk | PackedChunk] = slab.chunks
        self._phases = slab.phases
        self._firsts = slab.firsts
        self._skewed = slab.skewed

    def formerly(self, cols: Refs, phases: Times, firsts: Refs) -> "SlabView":
        """Return the view in which `cols` belong to those who had them before."""
        view = copy(self)
        view._phases, view._firsts = self._phases.copy(), self._firsts.copy()
        view._phases[cols], view._firsts[cols] = phases, firsts
        # Whether they were is not kept; one slot more to look at does no harm.
        view._skewed = np.ones(len(self._skewed), dtype=np.bool_)
        return view

    def ranges(self, width: Duration, start: Timestamp, end: Timestamp) -> Iterator[int]:
        """Yield the numbers of the ranges of time in which there may be samples of a chunk."""
        for number in self._chunks:
            # The phase is up to one interval, the distance from the slot about another.
            begin = max(number * ROWS * self._interval - self._interval, start)
            stop = min(((number + 1) * ROWS + 2) * self._interval, end)
            if begin < stop:
                yield from range(begin // width, (stop - 1) // width + 1)

    def samples(self, cols: Refs, start: Timestamp, end: Timestamp, latest: Times) -> Samples:
        """Return all samples within (start, end], staleness markers too."""
        ends = np.minimum(latest, end)
        low, high = self._reach(cols, start, ends)
        asked = (ends > start) & (high >= low)
        if not asked.any():
            return runs.nothing(len(cols))
        lowest, highest = int(low[asked].min()), int(high[asked].max())
        parts = []
        for number in self._between(lowest, highest):
            begin = max(lowest - number * ROWS, 0)
            stop = min(highest - number * ROWS + 1, ROWS)
            parts.append(self._matrix(number, slice(begin, stop), cols, start, ends))
        return runs.merge(len(cols), parts)

    def newest(self, cols: Refs, time: Timestamp, lookback: Duration, latest: Times) -> Found:
        """Return the newest sample or marker of each column within (time - lookback, time]."""
        ends = np.minimum(latest, time)
        low, high = self._reach(cols, time - lookback, ends)
        return self._seek(cols, high, low, -1, (time - lookback, ends), markers=True)

    def course(self, cols: Refs, ends: Times, width: Duration, latest: Times) -> CounterWindows:
        """Return the counter's course within (e - width, e] for each e of `ends`."""
        busy = self._busy(cols, int(ends.min()) - width, int(ends.max()))
        if busy.all():
            return self._scan(cols, ends, width, latest)
        steps = [self._course_at(cols, int(end), width, latest) for end in ends]
        whole = CounterWindows(
            np.stack([step.first for step in steps], axis=1),
            np.stack([step.last for step in steps], axis=1),
            np.stack([step.first_times for step in steps], axis=1),
            np.stack([step.last_times for step in steps], axis=1),
            np.stack([step.resets for step in steps], axis=1),
            np.stack([step.count for step in steps], axis=1),
        )
        if busy.any():
            runs.put(whole, busy, self._scan(cols[busy], ends, width, latest[busy]))
        return whole

    def even(self, cols: Refs) -> Mask:
        """Tell which columns have each sample in its own slot, so that `lattice` takes them."""
        even: Mask = ~self._skewed[cols]
        return even

    def slots(self, ends: Times, width: Duration) -> int:
        """Return about how many rows a lattice of these windows has."""
        return (int(ends.max()) - int(ends.min()) + width) // self._interval + 3

    def lattice(self, cols: Refs, ends: Times, width: Duration, latest: Times) -> Lattice:
        """Return all samples within (e - width, e] for each e of `ends`; columns must be even."""
        phases = self._phases[cols]
        least, most = int(phases.min()), int(phases.max())
        lowest = (int(ends.min()) - width - most) // self._interval
        highest = (int(ends.max()) - least) // self._interval + 1
        values, distances = self._block(cols, lowest, highest + 1)
        grid = Grid(lowest, self._interval, phases, values, distances)
        low = np.maximum(grid.bounds(ends - width), self._firsts[cols] - lowest)
        high = np.minimum(grid.bounds(ends), grid.bound_each(latest))
        there = (distances != 0) & ~is_stale(values)
        return Lattice(
            values,
            distances,
            None if there.all() else there,
            self._interval,
            np.arange(lowest, highest + 1, dtype=np.int64) * self._interval,
            phases,
            low.astype(np.int32),
            np.maximum(high, low).astype(np.int32),
        )

    def _block(self, cols: Refs, begin: int, end: int) -> tuple[Values, Distances]:
        """Return values and distances of the slots from `begin` to before `end`, (slots, n)."""
        parts = []
        at = begin
        while at < end:
            number, row = divmod(at, ROWS)
            stop = min(ROWS, row + end - at)
            parts.append(self._rows(number, slice(row, stop), cols))
            at += stop - row
        if len(parts) == 1:
            return parts[0]
        return (
            np.concatenate([values for values, _ in parts]),
            np.concatenate([distances for _, distances in parts]),
        )

    def _rows(self, number: int, rows: slice, cols: Refs) -> tuple[Values, Distances]:
        chunk, shape = self._chunks.get(number), (rows.stop - rows.start, len(cols))
        if chunk is None:
            return np.zeros(shape), np.zeros(shape, dtype=np.int32)
        first, last = int(cols[0]), int(cols[-1])
        if last - first == len(cols) - 1 and last < chunk.width and (cols[1:] > cols[:-1]).all():
            return chunk.block(rows, slice(first, last + 1))
        if int(cols.max()) < chunk.width:
            return chunk.block(rows, cols)
        # A column may be newer than an old chunk, which then holds nothing of it.
        inside = np.flatnonzero(cols < chunk.width)
        values, distances = np.zeros(shape), np.zeros(shape, dtype=np.int32)
        values[:, inside], distances[:, inside] = chunk.block(rows, cols[inside])
        return values, distances

    def _scan(self, cols: Refs, ends: Times, width: Duration, latest: Times) -> CounterWindows:
        samples = self.samples(cols, int(ends.min()) - width, int(ends.max()), latest)
        return runs.course(runs.without_stale(samples), ends, width)

    def _course_at(
        self, cols: Refs, end: Timestamp, width: Duration, latest: Times
    ) -> CounterWindows:
        """Return the course within one window, (n,) each: two lookups and the events."""
        start = end - width
        ends = np.minimum(latest, end)
        low, high = self._reach(cols, start, ends)
        last = self._seek(cols, high, low, -1, (start, ends))
        first = self._seek(cols, low, np.where(last.found, last.slots, low - 1), 1, (start, ends))
        resets, missing = self._events(cols, first, last)
        count = np.where(last.found, last.slots - first.slots + 1 - missing, 0)
        return CounterWindows(
            first.values, last.values, first.times, last.times, resets, count.astype(np.int64)
        )

    def _reach(self, cols: Refs, start: Timestamp, ends: Times) -> tuple[Refs, Refs]:
        """Return the first and last slots that may hold samples within (start, end]."""
        half = self._interval // 2 - self._phases[cols]
        low = np.maximum((start + 1 + half) // self._interval, self._firsts[cols])
        return low, (ends + half) // self._interval + self._skewed[cols]

    def _seek(
        self,
        cols: Refs,
        begin: Refs,
        stop: Refs,
        step: int,
        within: tuple[Timestamp, Times],
        *,
        markers: bool = False,
    ) -> Found:
        """Walk from `begin` to `stop` (both included) to the first sample in (start, end]."""
        start, ends = within

        def probe(slots: Refs, cols: Refs, ends: Times) -> tuple[Times, Values, Mask]:
            times, values, filled = self._fetch(slots, cols)
            good = filled & (times > start) & (times <= ends)
            return times, values, good if markers else good & ~is_stale(values)

        open_ = (stop - begin) * step >= 0
        if not len(cols) or not open_.any():
            return Found(begin, np.zeros_like(begin), np.zeros(len(cols)), open_)
        # All are looked up at once the first time; the few left are gathered.
        slots = begin if open_.all() else np.where(open_, begin, begin[open_][0])
        times, values, found = probe(slots, cols, ends)
        found &= open_
        slots = slots.copy()
        todo = np.flatnonzero(open_ & ~found)
        while len(todo):
            slots[todo] += step
            todo = todo[(stop[todo] - slots[todo]) * step >= 0]
            if not len(todo):
                break
            at, what, good = probe(slots[todo], cols[todo], ends[todo])
            hit = todo[good]
            times[hit], values[hit], found[hit] = at[good], what[good], True
            todo = todo[~good]
        return Found(slots, times, values, found)

    def _fetch(self, slots: Refs, cols: Refs) -> tuple[Times, Values, Mask]:
        """Return instant and value of single cells, and whether there is a sample."""
        numbers = self._between(int(slots.min()), int(slots.max()))
        rows = slots % ROWS
        if len(numbers) == 1 and int(slots.min()) // ROWS == int(slots.max()) // ROWS:
            values, distances = self._cells(numbers[0], rows, cols)
        else:
            values, distances = np.zeros(len(slots)), np.zeros(len(slots), dtype=np.int32)
            for number in numbers:
                here = np.flatnonzero(slots // ROWS == number)
                values[here], distances[here] = self._cells(number, rows[here], cols[here])
        times = slots * self._interval + (self._phases[cols] - BIAS) + distances
        return times, values, distances != 0

    def _cells(self, number: int, rows: Refs, cols: Refs) -> tuple[Values, Distances]:
        chunk = self._chunks[number]
        # A column without anything to look up may be wider than an old chunk: any cell will do.
        return chunk.cells(rows, np.minimum(cols, chunk.width - 1))

    def _events(self, cols: Refs, first: Found, last: Found) -> tuple[Values, Values]:
        """Return what was lost by resets, and the uncounted slots, between first and last."""
        resets, missing = np.zeros(len(cols)), np.zeros(len(cols))
        if not last.found.any():
            return resets, missing
        lowest, highest = first.slots[last.found].min(), last.slots[last.found].max()
        for number in self._between(int(lowest), int(highest)):
            chunk = self._chunks[number]
            events = chunk.events()
            if not len(events.rows):
                continue
            places = np.full(chunk.width, -1, dtype=np.int64)
            inside = np.flatnonzero(cols < chunk.width)
            places[cols[inside]] = inside
            place = places[events.cols]
            slots = events.rows + number * ROWS
            between = (
                (place >= 0)
                & last.found[place]
                & (slots > first.slots[place])
                & (slots <= last.slots[place])
            )
            place = place[between]
            resets += np.bincount(place, events.drops[between], len(cols))
            missing += np.bincount(place, events.missing[between], len(cols))
        return resets, missing

    def _busy(self, cols: Refs, start: Timestamp, end: Timestamp) -> Mask:
        low, high = start // self._interval - 2, end // self._interval + 2
        busy = np.zeros(len(cols), dtype=np.bool_)
        for number in self._between(low, high):
            chunk = self._chunks[number]
            inside = cols < chunk.width
            busy[inside] |= chunk.busy[cols[inside]] > BUSY
        return busy

    def _between(self, lowest: int, highest: int) -> list[int]:
        """Return the numbers of the chunks that exist for these slots, rising."""
        low, high = lowest // ROWS, highest // ROWS
        if high - low < len(self._chunks):
            return [number for number in range(low, high + 1) if number in self._chunks]
        return sorted(number for number in self._chunks if low <= number <= high)

    def _matrix(
        self, number: int, rows: slice, cols: Refs, start: Timestamp, ends: Times
    ) -> Samples:
        """Return the samples in some rows of a chunk, series after series."""
        chunk = self._chunks[number]
        asked, inside = len(cols), np.flatnonzero(cols < chunk.width)
        cols, ends = cols[inside], ends[inside]
        block, apart = chunk.block(rows, cols)
        values, distances = block.T, apart.T
        slots = np.arange(rows.start, rows.stop) + number * ROWS
        times = (
            (slots * self._interval)[None, :]
            + (self._phases[cols] - BIAS)[:, None]
            + distances.astype(np.int64)
        )
        mask = (
            (distances != 0)
            & (times > start)
            & (times <= ends[:, None])
            & (slots[None, :] >= self._firsts[cols][:, None])
        )
        counts = np.zeros(asked, dtype=np.int64)
        counts[inside] = mask.sum(axis=1)
        return Samples(values[mask], times[mask], np.concatenate(([0], np.cumsum(counts))))
