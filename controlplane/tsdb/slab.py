"""Regular series in slabs: rows of slots by columns of series.

All series of one interval share a slab. A series has a phase, and the slot of
a sample is the nearest whole number of intervals from it, so jitter and missed
ticks neither collide nor drift; what is kept beside the value is the distance
(int32) from the slot's nominal instant. Where two samples fall into one slot
the later takes the next one ("skewed"); more than that and the series is not
regular and has to leave, without its samples: they stay readable where they are.

Slots are numbered from the epoch and lie in chunks of `ROWS` rows. There is no
ring to overtake a reader: old chunks are dropped, and live on as long as a
snapshot holds them. A cell is written once, and a reader never looks beyond
the newest sample that its snapshot knows, so it needs no lock.

What nobody writes to any longer is packed, some columns after each commit (`packed`).

Every decrease and every hole is kept as a sparse event, which makes
`rate` a matter of two lookups a series whatever the window's length; a column
with many of them (a gauge) is marked `busy` and read sample by sample.
"""

from typing import Final, TypeVar, cast

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.samples import Mask, Refs, Times, Values, is_stale
from controlplane.tsdb.chunk import ROWS, Chunk, Events
from controlplane.tsdb.lattice import BIAS
from controlplane.tsdb.packed import PackedChunk, Packing
from controlplane.tsdb.sift import Batch

_MOST_CHUNKS: Final = 8192
# A chunk is packed when nothing was written to it for so many slots of its slab.
_QUIET: Final = 6
LONGEST_INTERVAL: Final[Duration] = 86_400_000

_Column = TypeVar("_Column", Refs, Values, Mask)


class Slab:
    """The writing side of one interval; one writer only."""

    def __init__(self, interval: Duration) -> None:
        self.interval = interval
        self.chunks: dict[int, Chunk | PackedChunk] = {}
        self.phases: Times = np.zeros(0, dtype=np.int64)
        # The first slot of a column's present owner; what is below is not his.
        self.firsts: Refs = np.zeros(0, dtype=np.int64)
        self.skewed: Mask = np.zeros(0, dtype=np.bool_)
        self._last_slots: Refs = np.zeros(0, dtype=np.int64)
        self._last_numbers: Values = np.zeros(0)
        self._width = 0
        # Columns given back, each with the last chunk that its owner may have used.
        self._free: list[tuple[int, int]] = []
        # The newest slot of all, and up to which one old chunks were looked for.
        self._newest = self._looked = 0
        self._packing: Packing | None = None

    def admit(self, last_times: Times) -> Refs:
        """Give columns to series whose newest samples, kept elsewhere, are at `last_times`."""
        phases = last_times % self.interval
        firsts = last_times // self.interval + 1
        cols = self._columns(int(firsts.min()) // ROWS, len(firsts))
        self.phases[cols] = phases
        self.firsts[cols] = firsts
        self.skewed[cols] = False
        self._last_slots[cols] = firsts - 1
        self._last_numbers[cols] = np.nan
        self._widen(int(firsts.min()) // ROWS)
        return cols

    def write(self, cols: Refs, batch: Batch) -> Mask:
        """Write samples sorted by column and time; return which columns must leave, (n,).

        Of a column that must leave nothing is written.
        """
        slots, begins = self._slots(cols, batch.times)
        natural = self._natural(cols, batch.times)
        leaving = slots > natural + 1
        room = self._room_for(slots)
        if room is not None:
            leaving |= ~room
        if leaving.any():
            leaving = np.isin(cols, cols[leaving])
            stay = ~leaving
            cols, batch, slots, natural = cols[stay], batch.take(stay), slots[stay], natural[stay]
            begins = np.concatenate(([True], cols[1:] != cols[:-1]))[: len(cols)]
        if len(cols):
            self.skewed[cols[slots > natural]] = True
            self._store(cols, slots, batch, begins)
        return leaving

    def vacate(self, cols: Refs) -> None:
        """Give columns back; what is in them stays readable until it expires."""
        self._free.extend(
            zip((self._last_slots[cols] // ROWS).tolist(), cols.tolist(), strict=True)
        )

    def drop_before(self, cutoff: Timestamp) -> None:
        """Forget the chunks that hold nothing at or after `cutoff`."""
        # One interval for the phase, one and a half for the distance.
        bound = (cutoff // self.interval - 3) // ROWS
        if any(number < bound for number in self.chunks):
            self.chunks = {
                number: chunk for number, chunk in self.chunks.items() if number >= bound
            }

    def pack(self) -> None:
        """Do a piece of the work of packing a chunk that nobody writes to any longer."""
        packing = self._packing or self._unpacked()
        if packing is None:
            return
        self._packing = None
        if not packing.concerns(self.chunks.get(packing.number)):
            return
        packed = packing.step()
        if packed is None:
            self._packing = packing
        else:
            self.chunks = {**self.chunks, packing.number: packed}
            self._looked = 0

    def _unpacked(self) -> Packing | None:
        """Return the work on some old chunk. Looks once a slot."""
        if self._looked == self._newest:
            return None
        self._looked = self._newest
        for number, chunk in self.chunks.items():
            if isinstance(chunk, Chunk) and self._newest - chunk.touched > _QUIET:
                return Packing(number, chunk)
        return None

    def _natural(self, cols: Refs, times: Times) -> Refs:
        slots: Refs = (times - self.phases[cols] + self.interval // 2) // self.interval
        return slots

    def _slots(self, cols: Refs, times: Times) -> tuple[Refs, Mask]:
        """Return the slot of each sample, after that of the sample before it.

        slot[i] = max(natural[i], slot[i - 1] + 1) is, less i, a running maximum.
        """
        natural = self._natural(cols, times)
        begins = np.concatenate(([True], cols[1:] != cols[:-1]))
        before = self._last_slots[cols]
        if begins.all():
            return np.maximum(natural, before + 1), begins
        places = np.arange(len(cols))
        start = np.maximum.accumulate(np.where(begins, places, 0))
        step = places - start
        lowest = np.maximum(natural - step, before + 1)
        lift = np.cumsum(begins) * (int(lowest.max()) - int(lowest.min()) + 1)
        return np.maximum.accumulate(lowest + lift) - lift + step, begins

    def _room_for(self, slots: Refs) -> Mask | None:
        """Tell which samples have a chunk or may begin one; None: all."""
        numbers = slots // ROWS
        fresh = [number for number in _distinct(numbers) if number not in self.chunks]
        room = _MOST_CHUNKS - len(self.chunks)
        if len(fresh) <= room:
            return None
        return ~np.isin(numbers, fresh[room:])

    def _store(self, cols: Refs, slots: Refs, batch: Batch, begins: Mask) -> None:
        stale = is_stale(batch.values)
        previous = self._previous_numbers(cols, batch.values, stale, begins)
        before = np.where(begins, self._last_slots[cols], np.concatenate(([0], slots[:-1])))
        missing = slots - before - 1 + stale
        fell = batch.values < previous
        eventful = fell | (missing > 0)
        distances = batch.times - slots * self.interval - self.phases[cols] + BIAS
        drops = np.where(fell, previous, 0.0) if eventful.any() else None
        self._newest = max(self._newest, int(slots.max()))
        numbers, rows = np.divmod(slots, ROWS)
        for number in _distinct(numbers):
            chunk = self._chunk(number)
            chunk.touched = self._newest
            here = numbers == number
            cells = (rows[here], cols[here])
            chunk.values[cells] = batch.values[here]
            chunk.distances[cells] = distances[here]
            if drops is not None:
                here &= eventful
                chunk.record(Events(rows[here], cols[here], drops[here], missing[here]))
        ends = np.concatenate((begins[1:], [True]))
        self._last_slots[cols[ends]] = slots[ends]
        self._last_numbers[cols[ends]] = np.where(stale, previous, batch.values)[ends]

    def _previous_numbers(self, cols: Refs, values: Values, stale: Mask, begins: Mask) -> Values:
        """Return for each sample the value before it that is no staleness marker."""
        known = self._last_numbers[cols]
        if begins.all():
            return known
        places = np.arange(len(cols))
        start = np.maximum.accumulate(np.where(begins, places, 0))
        holder = np.concatenate(([-1], np.maximum.accumulate(np.where(stale, -1, places))[:-1]))
        previous: Values = np.where(holder >= start, values[np.maximum(holder, 0)], known)
        return previous

    def _chunk(self, number: int) -> Chunk:
        """Return a chunk to write to; one that was packed is opened for who is late."""
        known = self.chunks.get(number)
        if isinstance(known, Chunk):
            return known
        chunk = Chunk(len(self.phases)) if known is None else known.opened(len(self.phases))
        self.chunks = {**self.chunks, number: chunk}
        return chunk

    def _columns(self, chunk: int, count: int) -> Refs:
        """Take columns whose former owners wrote only before `chunk`, then new ones."""
        usable = [entry for entry in self._free if entry[0] < chunk][:count]
        if usable:
            taken = set(usable)
            self._free = [entry for entry in self._free if entry not in taken]
            # Snapshots still read these columns by their former phases.
            self.phases, self.firsts = self.phases.copy(), self.firsts.copy()
            self.skewed = self.skewed.copy()
        fresh = count - len(usable)
        self._grow(self._width + fresh)
        cols = [col for _, col in usable] + list(range(self._width, self._width + fresh))
        self._width += fresh
        return np.array(cols, dtype=np.int64)

    def _grow(self, width: int) -> None:
        if width <= len(self.phases):
            return
        # A column that nobody has takes memory in every row all the same: few are kept ready.
        room = max(width + width // 8, 64)
        self.phases = _grown(self.phases, room)
        self.firsts = _grown(self.firsts, room)
        self._last_slots = _grown(self._last_slots, room)
        self._last_numbers = _grown(self._last_numbers, room)
        self.skewed = _grown(self.skewed, room)

    def _widen(self, chunk: int) -> None:
        """Make the chunks from `chunk` on hold all columns."""
        width = len(self.phases)
        narrow = {
            number: found.widened(width)
            for number, found in self.chunks.items()
            if number >= chunk and found.width < width and isinstance(found, Chunk)
        }
        if narrow:
            self.chunks = {**self.chunks, **narrow}


def _distinct(numbers: Refs) -> list[int]:
    """Return the distinct numbers, rising; they are nearly always one or two neighbours."""
    lowest, highest = int(numbers.min()), int(numbers.max())
    if highest - lowest < 2:
        return [lowest] if lowest == highest else [lowest, highest]
    distinct: list[int] = np.unique(numbers).tolist()
    return distinct


def _grown(column: _Column, room: int) -> _Column:
    wide = np.zeros(room, dtype=column.dtype)
    wide[: len(column)] = column
    return cast(_Column, wide)
