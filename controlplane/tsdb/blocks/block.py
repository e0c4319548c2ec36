"""A block open for reading."""

import os
import weakref
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs, Times, Values
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.cache import PageCache
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.files import replaced
from controlplane.tsdb.blocks.identity import Directory, Identities
from controlplane.tsdb.blocks.integers import flat
from controlplane.tsdb.blocks.meta import CHUNKS, INDEX, META, TOMBSTONES, read_meta
from controlplane.tsdb.blocks.packing import Column
from controlplane.tsdb.blocks.pages import HISTOGRAM_PAGE, HistogramPage, TimePage, ValuePage
from controlplane.tsdb.blocks.postings import LabelIndex
from controlplane.tsdb.blocks.sections import Sections
from controlplane.tsdb.blocks.tombstones import Tombstone, Tombstones
from controlplane.tsdb.runs import Samples


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of instants: column i is `times[offsets[i]:offsets[i + 1]]`."""

    times: Times
    offsets: Refs

    @property
    def nbytes(self) -> int:
        return self.times.nbytes + self.offsets.nbytes

    def take(self, numbers: Refs) -> "Columns":
        """Return some columns. Raises Corrupt where one is not there."""
        if not len(numbers) or numbers[-1] >= len(self.offsets) - 1:
            raise Corrupt("a page names instants that are not there")
        counts = np.diff(self.offsets)[numbers]
        times = self.times[flat(self.offsets[numbers], counts)]
        return Columns(times, np.concatenate(([0], np.cumsum(counts))))

    def between(self, start: Timestamp, end: Timestamp) -> tuple[Refs, Refs]:
        """Return how many instants of each column are up to `start`, and up to `end`."""
        counts = np.diff(self.offsets)
        if not len(self.times) or (start < self.times.min() and self.times.max() <= end):
            return np.zeros_like(counts), counts
        begins = self.offsets[:-1]
        return (
            np.add.reduceat(self.times <= start, begins, dtype=np.int64),
            np.add.reduceat(self.times <= end, begins, dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page decoded: series in any order, each with its column of instants; and the
    place of each row, from `first_row` on.
    """

    values: Values
    begins: Refs
    held: Refs
    columns: Columns
    first_row: int
    places: Refs

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.columns.nbytes + 3 * self.begins.nbytes

    def read(self, rows: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return the samples of `rows` within (start, end]."""
        inside = np.clip(rows - self.first_row, 0, len(self.places) - 1)
        places = np.where(rows - self.first_row == inside, self.places[inside], -1)
        held = self.held[places]
        low, high = self.columns.between(start, end)
        counts = np.where(places >= 0, (high - low)[held], 0)
        low = low[held]
        values = self.values[flat(self.begins[places] + low, counts)]
        times = self.columns.times[flat(self.columns.offsets[held] + low, counts)]
        return Samples(values, times, np.concatenate(([0], np.cumsum(counts))))


class Block:
    """Immutable but for its tombstones. Safe to read from any thread."""

    def __init__(self, path: Path, cache: PageCache) -> None:
        """Open and verify all but the pages, which are verified when read.

        Raises Corrupt, OSError.
        """
        self.path = path
        self.meta = read_meta(path / META)
        self._cache = cache
        sections = Sections(path / INDEX, self.meta.sections)
        self.index = LabelIndex(sections)
        self.identities = Identities(sections["identity_high"], sections["identity_low"])
        self._directory = Directory(self.identities, sections["identity_order"].astype(np.int64))
        self._slices = sections["page_slices"]
        self._first_rows = sections["page_first_rows"]
        self._places = (sections["page_offsets"], sections["page_lengths"], sections["page_checks"])
        self._column_slices = sections["column_slices"]
        self._column_firsts = sections["column_firsts"]
        self._column_places = (
            sections["column_offsets"],
            sections["column_lengths"],
            sections["column_checks"],
        )
        self._numbers: list[int] = np.unique(self._slices).tolist()
        self._histogram_places = (
            sections["histogram_offsets"],
            sections["histogram_lengths"],
            sections["histogram_checks"],
        )
        self._slice_width = int(sections["slice_width"][0])
        self._tombstones = Tombstones.read(path / TOMBSTONES)
        self._chunks = os.open(path / CHUNKS, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._chunks)
        if os.fstat(self._chunks).st_size != self.meta.chunk_bytes:
            raise Corrupt(f"{CHUNKS} has not its {self.meta.chunk_bytes} bytes")

    @property
    def nbytes(self) -> int:
        """How much the block takes on the disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    @property
    def tombstones(self) -> Tombstones:
        return self._tombstones

    def find(self, wanted: Identities) -> Refs:
        """Return the rows of series by identity, -1 where a series is not here."""
        return self._directory.find(wanted)

    def read(self, rows: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return the samples of `rows`, which rise, within (start, end], markers too.

        Raises Corrupt, OSError.
        """
        try:
            return self._read(rows, start, end)
        except Corrupt as error:
            error.block = self.meta.name
            raise

    def _read(self, rows: Refs, start: Timestamp, end: Timestamp) -> Samples:
        if not len(rows) or end <= start:
            return runs.nothing(len(rows))
        parts = [
            self._slice(number, rows, start, end)
            for number in self._numbers
            if number * self._slice_width <= end and (number + 1) * self._slice_width > start + 1
        ]
        samples = runs.merge(len(rows), parts)
        if self._tombstones:
            samples = self._tombstones.without_deleted(rows, samples)
        return samples

    def histograms(self, numbers: Sequence[int]) -> list[bytes]:
        """Return encoded histograms by the block's own numbers. Raises Corrupt, OSError."""
        try:
            return [self._histogram(number) for number in numbers]
        except Corrupt as error:
            error.block = self.meta.name
            raise

    def _histogram(self, number: int) -> bytes:
        page, place = divmod(number, HISTOGRAM_PAGE)
        kept = self._cache.get((self.meta.name, "histograms", page), lambda: self._load_page(page))
        if place >= len(kept.encoded):
            raise Corrupt("a page names a histogram that is not there")
        return kept.encoded[place]

    def _load_page(self, page: int) -> HistogramPage:
        return HistogramPage.decoded(self._frame(self._histogram_places, page))

    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None:
        """Hide the samples within [start, end] of the series that match, durably.

        Raises OSError.
        """
        if start >= self.meta.max_time or end < self.meta.min_time:
            return
        rows = self.index.select(matchers)
        if len(rows):
            stones = self._tombstones.plus(Tombstone(rows, start, end))
            replaced(self.path / TOMBSTONES, stones.write)
            self._tombstones = stones

    def _slice(self, number: int, rows: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return what the pages of one slice of time have of `rows`."""
        low = int(np.searchsorted(self._slices, number))
        high = int(np.searchsorted(self._slices, number, side="right"))
        pages = np.searchsorted(self._first_rows[low:high], rows, side="right") - 1 + low
        parts = []
        for page in np.unique(pages[pages >= low]).tolist():
            here = slice(*np.searchsorted(pages, (page, page + 1)).tolist())
            parts.append((self._page(page).read(rows[here], start, end), here))
        counts = np.zeros(len(rows), dtype=np.int64)
        for samples, here in parts:
            counts[here] = samples.counts
        if not counts.any():
            return runs.nothing(len(rows))
        # Pages stand in the order of their rows, so their samples only need joining.
        return Samples(
            np.concatenate([samples.values for samples, _ in parts]),
            np.concatenate([samples.times for samples, _ in parts]),
            np.concatenate(([0], np.cumsum(counts))),
        )

    def _page(self, number: int) -> Page:
        return self._cache.get((self.meta.name, number), lambda: self._load(number))

    def _load(self, number: int) -> Page:
        page = ValuePage.decoded(self._frame(self._places, number))
        first_row = int(self._first_rows[number])
        places = np.full(int(page.rows.max(initial=first_row)) - first_row + 1, -1)
        places[page.rows - first_row] = np.arange(len(page.rows))
        columns, held = np.unique(page.columns, return_inverse=True)
        times = self._times(int(self._slices[number]), columns)
        if not np.array_equal(np.diff(times.offsets)[held], np.diff(page.offsets)):
            raise Corrupt("a page of values does not fit its instants")
        return Page(page.values, page.offsets[:-1], held, times, first_row, places)

    def _times(self, slice_number: int, columns: Refs) -> Columns:
        """Return some columns of a slice, rising."""
        low = int(np.searchsorted(self._column_slices, slice_number))
        high = int(np.searchsorted(self._column_slices, slice_number, side="right"))
        firsts = self._column_firsts[low:high]
        holders = np.searchsorted(firsts, columns, side="right") - 1
        if not len(columns) or holders.min() < 0:
            raise Corrupt("a page names instants that are not there")
        parts = [
            self._column_page(low + page).take(columns[holders == page] - firsts[page])
            for page in np.unique(holders).tolist()
        ]
        counts = np.concatenate([np.diff(part.offsets) for part in parts])
        times = np.concatenate([part.times for part in parts])
        return Columns(times, np.concatenate(([0], np.cumsum(counts))))

    def _column_page(self, number: int) -> Columns:
        def load() -> Columns:
            page = TimePage.decoded(self._frame(self._column_places, number))
            return Columns(page.times, page.offsets)

        return self._cache.get((self.meta.name, "times", number), load)

    def _frame(self, places: tuple[Column, ...], number: int) -> bytes:
        if number >= len(places[0]):
            raise Corrupt("a page is named that is not there")
        offset, length, checksum = (int(column[number]) for column in places)
        frame = os.pread(self._chunks, length, offset)
        if len(frame) != length or zlib.crc32(frame) != checksum:
            raise Corrupt(f"checksum mismatch in {CHUNKS} at {offset}")
        return frame
