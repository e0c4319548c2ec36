"""Writing a block: series by series in batches, so that memory stays bounded."""

import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from uuid import uuid4

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Values
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.columns import PAGE_SAMPLES, TimeColumns
from controlplane.tsdb.blocks.errors import Interrupted
from controlplane.tsdb.blocks.files import UNFINISHED, published
from controlplane.tsdb.blocks.meta import CHUNKS, INDEX, META, BlockMeta, write_meta
from controlplane.tsdb.blocks.packing import Column
from controlplane.tsdb.blocks.pages import HISTOGRAM_PAGE, HistogramPage, TimePage, ValuePage
from controlplane.tsdb.blocks.postings import IndexBuilder
from controlplane.tsdb.blocks.sections import write_sections
from controlplane.tsdb.histograms import is_marker, markers, numbers
from controlplane.tsdb.runs import Samples

# The slices of time into which pages are cut: what a query of an instant decodes.
SLICE: Final[Duration] = 3_600_000
_FIRST_BATCH: Final = 64
_LARGEST_BATCH: Final = 16_384


class Source(Protocol):
    """Series to write, each once, like ones side by side; `histograms` resolves the markers
    among their values.
    """

    def histograms(self, numbers: Sequence[int]) -> Sequence[bytes]:
        """Return encoded histograms by the numbers in markers, nothing for what is not kept."""
        ...

    def __len__(self) -> int: ...

    def labels(self, begin: int, end: int) -> Sequence[Labels]:
        """Return the label sets of the series from `begin` to before `end`."""
        ...

    def read(self, begin: int, end: int) -> Samples:
        """Return their samples within the block's range, staleness markers too."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What a new block will say of itself: see `BlockMeta`."""

    min_time: Timestamp
    max_time: Timestamp
    level: int = 1
    parents: tuple[str, ...] = ()
    late_until: int = 0


def write_block(
    root: Path, origin: Origin, source: Source, stopped: Callable[[], bool] = lambda: False
) -> Path | None:
    """Write a block into `root` and return its directory, None when it would be empty.

    It appears whole, after all of it is on the disk, or not at all. Raises
    OSError, and Interrupted once `stopped()`; nothing is left behind then.
    """
    name = f"{origin.min_time}-{origin.max_time}-{uuid4().hex[:12]}"
    unfinished = root / (name + UNFINISHED)
    try:
        unfinished.mkdir(parents=True)
        with (unfinished / CHUNKS).open("xb") as chunks:
            pages = _Pages(chunks, source.histograms)
            index = _write_samples(pages, source, stopped)
        if not len(index):
            return None
        sections = write_sections(unfinished / INDEX, {**pages.sections(), **index.sections()})
        meta = BlockMeta(
            name,
            origin.min_time,
            origin.max_time,
            pages.samples,
            len(index),
            pages.position,
            origin.level,
            origin.parents,
            origin.late_until,
            pages.histograms,
        )
        write_meta(unfinished / META, replace(meta, sections=sections))
        published(unfinished, root / name)
        return root / name
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_samples(pages: "_Pages", source: Source, stopped: Callable[[], bool]) -> IndexBuilder:
    """Write the samples of all series that have any; return the index of those."""
    index = IndexBuilder()
    begin, size = 0, _FIRST_BATCH
    while begin < len(source):
        if stopped():
            raise Interrupted("the store is being closed")
        end = min(begin + size, len(source))
        samples = source.read(begin, end)
        slices = 1
        present = np.flatnonzero(samples.counts)
        if len(present):
            labels = source.labels(begin, end)
            rows = np.arange(len(index), len(index) + len(present), dtype=np.int64)
            index.add([labels[place] for place in present.tolist()])
            slices = pages.add(rows, _without_empty(samples))
        fitting = (end - begin) * slices * PAGE_SAMPLES // max(len(samples.times), 1)
        size = min(max(fitting, size // 4, 1), 4 * size, _LARGEST_BATCH)
        begin = end
    pages.flush()
    return index


def _without_empty(samples: Samples) -> Samples:
    counts = samples.counts
    offsets = np.concatenate(([0], np.cumsum(counts[counts > 0])))
    return Samples(samples.values, samples.times, offsets)


@dataclass(slots=True)
class _Table:
    """Where pages stand: a row each."""

    slices: list[int] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    checks: list[int] = field(default_factory=list)

    def sections(self, prefix: str, firsts: str) -> dict[str, Column]:
        order = np.lexsort((self.firsts, self.slices))
        return {
            f"{prefix}_slices": np.array(self.slices, dtype="<i8")[order],
            f"{prefix}_{firsts}": np.array(self.firsts, dtype="<i8")[order],
            f"{prefix}_offsets": np.array(self.offsets, dtype="<i8")[order],
            f"{prefix}_lengths": np.array(self.lengths, dtype="<i8")[order],
            f"{prefix}_checks": np.array(self.checks, dtype="<u4")[order],
        }


class _Pages:
    """Cuts batches into pages by slices of time, and appends them to the file."""

    def __init__(self, file: BinaryIO, resolve: Callable[[Sequence[int]], Sequence[bytes]]) -> None:
        self._file = file
        self._resolve = resolve
        self._waiting: list[bytes] = []
        self._histograms = _Table()
        self.histograms = 0
        self._values = _Table()
        self._times = _Table()
        self._columns: dict[int, TimeColumns] = {}
        self.position = 0
        self.samples = 0

    def add(self, rows: Refs, samples: Samples) -> int:
        """Write the samples of `rows`, none without; return in how many slices they are."""
        of_sample = samples.times // SLICE
        slices = range(int(of_sample.min()), int(of_sample.max()) + 1)
        for number in slices:
            part = runs.keep(samples, of_sample == number)
            if not len(part.times):
                continue
            present = np.flatnonzero(part.counts)
            part = _without_empty(part)
            columns = self._columns_of(number).add(part)
            values = self._own_numbers(part.values)
            page = ValuePage(rows[present], columns, values, part.offsets)
            self._write(self._values, number, int(rows[present[0]]), page.encoded())
        self.samples += len(samples.times)
        return len(slices)

    def flush(self) -> None:
        """Write the instants and histograms that wait."""
        self._write_histograms(1)
        for columns in self._columns.values():
            columns.flush()

    def sections(self) -> dict[str, Column]:
        """Return where all stands."""
        return {
            **self._values.sections("page", "first_rows"),
            **self._times.sections("column", "firsts"),
            **self._histograms.sections("histogram", "firsts"),
            "slice_width": np.array([SLICE], dtype="<i8"),
        }

    def _own_numbers(self, values: Values) -> Values:
        """Return values with the block's own numbers in the markers of histograms."""
        marked = is_marker(values)
        if not marked.any():
            return values
        found = self._resolve(numbers(values[marked]).tolist())
        first = self.histograms
        self.histograms += len(found)
        self._waiting += found
        self._write_histograms(HISTOGRAM_PAGE)
        values = values.copy()
        values[marked] = markers(np.arange(first, first + len(found), dtype=np.int64))
        return values

    def _write_histograms(self, enough: int) -> None:
        """Write what waits in full pages, and the last one if `enough` wait."""
        while len(self._waiting) >= enough:
            page, self._waiting = self._waiting[:HISTOGRAM_PAGE], self._waiting[HISTOGRAM_PAGE:]
            first = len(self._histograms.slices) * HISTOGRAM_PAGE
            self._write(self._histograms, 0, first, HistogramPage(tuple(page)).framed())

    def _columns_of(self, number: int) -> TimeColumns:
        known = self._columns.get(number)
        if known is None:

            def write(first: int, page: TimePage) -> None:
                self._write(self._times, number, first, page.encoded())

            known = self._columns[number] = TimeColumns(write)
        return known

    def _write(self, table: _Table, slice_number: int, first: int, frame: bytes) -> None:
        self._file.write(frame)
        table.slices.append(slice_number)
        table.firsts.append(first)
        table.offsets.append(self.position)
        table.lengths.append(len(frame))
        table.checks.append(zlib.crc32(frame))
        self.position += len(frame)
