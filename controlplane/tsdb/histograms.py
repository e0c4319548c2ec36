"""Native histograms in the store.

A histogram is kept aside, encoded, under a number; the sample's value is a
marker with that number in it: a signalling NaN that no arithmetic yields. So
histograms take every way that floats take (slabs, log, order, staleness), and
who reads floats only pays nothing for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import CounterResetHint, FloatHistogram, Histograms
from controlplane.model.histogram_resets import is_reset
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.tsdb.histogram_codec import decode, encode
from controlplane.tsdb.ports import Write
from controlplane.tsdb.sift import NEVER, Batch

_TAG: Final = 0x7FF4
_BITS: Final = 48
_NUMBER: Final = (1 << _BITS) - 1
# Histograms that are dropped together.
_PAGE_BITS: Final = 10
_PAGE: Final = 1 << _PAGE_BITS


def markers(numbers: Refs) -> Values:
    """Return the sample values that stand for histograms of these numbers."""
    marked: Values = (numbers.astype(np.int64) | (_TAG << _BITS)).view(np.float64)
    return marked


def is_marker(values: Values) -> Mask:
    """Tell which sample values stand for histograms."""
    found: Mask = (np.ascontiguousarray(values).view(np.int64) >> _BITS) == _TAG
    return found


def numbers(marked: Values) -> Refs:
    """Return the numbers in markers."""
    found: Refs = np.ascontiguousarray(marked).view(np.int64) & _NUMBER
    return found


def unmarked(values: Values) -> Values:
    """Return values from outside without what would be taken for markers: plain NaN."""
    found = is_marker(values)
    return np.where(found, np.nan, values) if found.any() else values


@dataclass(frozen=True, slots=True)
class HistogramRun:
    """Encoded histograms with the numbers from `first` on."""

    first: int
    encoded: Sequence[bytes]


class PoolView:
    """What a snapshot reads of the pool. Safe to use from any thread."""

    __slots__ = ("_pages", "_series")

    def __init__(self, pages: dict[int, list[bytes]], series: Mask) -> None:
        self._pages = pages
        self._series = series

    def concerns(self, refs: Refs) -> bool:
        """Tell whether any of these series has ever had a histogram."""
        inside = refs[refs < len(self._series)]
        return bool(self._series[inside].any())

    def resolve(self, values: Values) -> tuple[Histograms, Mask]:
        """Return the histograms that values stand for, and where one is there no more."""
        marked = is_marker(values)
        found = np.full(values.shape, None, dtype=np.object_)
        distinct, places = np.unique(numbers(values[marked]), return_inverse=True)
        decoded = np.full(len(distinct), None, dtype=np.object_)
        for place, number in enumerate(distinct.tolist()):
            decoded[place] = self.get(number)
        found[marked] = decoded[places]
        return found, marked & ~found.astype(np.bool_)

    def get(self, number: int) -> FloatHistogram | None:
        """Return one histogram, None when it is there no more."""
        encoded = self.encoded(number)
        return None if encoded is None else decode(encoded)

    def encoded(self, number: int) -> bytes | None:
        page = self._pages.get(number >> _PAGE_BITS)
        place = number & (_PAGE - 1)
        return (page[place] or None) if page is not None and place < len(page) else None


class HistogramPool:
    """The writing side; belongs to the store's one writer."""

    def __init__(self) -> None:
        self._pages: dict[int, list[bytes]] = {}
        self._latest: dict[int, Timestamp] = {}
        self._next = 0
        self._series: Mask = np.zeros(0, dtype=np.bool_)
        self._staged: list[FloatHistogram] = []

    def view(self) -> PoolView | None:
        """Return what is in it now, None when there never was anything."""
        return PoolView(self._pages, self._series) if self._next else None

    def stage(self, writes: Sequence[Write], batch: Batch) -> Batch:
        """Return a batch with markers where its writes, in this order, hold histograms."""
        self._staged = []
        values, begin = unmarked(batch.values), 0
        places: list[int] = []
        for write in writes:
            for place, histogram in enumerate(write.histograms or ()):
                if histogram is not None:
                    places.append(begin + place)
                    self._staged.append(histogram)
            begin += len(write.refs)
        if places:
            # No number that is taken: equal markers are the same sample.
            values = values.copy()
            values[places] = markers(np.arange(len(places)) + self._next)
        return batch if values is batch.values else Batch(batch.refs, batch.times, values)

    def repeated(self, batch: Batch, last_times: Times, last_values: Values) -> Batch:
        """Give samples that a series has already the markers that they have."""
        if not self._staged:
            return batch
        view, values = PoolView(self._pages, self._series), batch.values
        known = np.flatnonzero((batch.refs >= 0) & (batch.refs < len(last_times)))
        refs = batch.refs[known]
        again = is_marker(values[known]) & (last_times[refs] == batch.times[known])
        again &= is_marker(last_values[refs])
        for place in known[again].tolist():
            last = last_values[batch.refs[place] : batch.refs[place] + 1]
            before = view.get(int(numbers(last)[0]))
            staged = self._staged[int(numbers(values[place : place + 1])[0]) - self._next]
            if before is not None and before.same(staged):
                values[place] = last[0]
        return batch

    def admit(self, batch: Batch, last_values: Values) -> "HistogramRun | None":
        """Keep the staged histograms of a sifted batch, and put their markers into it.

        `last_values` are the newest samples by series.
        """
        if not self._staged:
            return None
        marked = np.flatnonzero(is_marker(batch.values))
        chosen = [self._staged[n - self._next] for n in numbers(batch.values[marked]).tolist()]
        self._staged = []
        if not chosen:
            return None
        encoded, last, view = [], last_values[batch.refs[marked]], self.view()
        newest = np.where(is_marker(last), numbers(last), -1).tolist()
        # The sample before is in the batch where that is of the same series.
        follows = np.concatenate(([False], batch.refs[1:] == batch.refs[:-1]))[marked].tolist()
        before: tuple[int, FloatHistogram | None] = (-1, None)
        for at, place in enumerate(marked.tolist()):
            if follows[at]:
                previous = before[1] if before[0] == place - 1 else None
            else:
                previous = None if view is None or newest[at] < 0 else view.get(newest[at])
            kept = _told(chosen[at], previous)
            before = (place, kept)
            encoded.append(encode(kept))
        run = HistogramRun(self._next, encoded)
        batch.values[marked] = markers(np.arange(len(encoded)) + run.first)
        self.restore(run)
        return run

    def restore(self, run: "HistogramRun") -> None:
        """Keep encoded histograms under their numbers."""
        pages = dict(self._pages)
        for number, one in enumerate(run.encoded, run.first):
            page = pages.setdefault(number >> _PAGE_BITS, [])
            place = number & (_PAGE - 1)
            page.extend([b""] * (place - len(page)))
            page[place:] = [one]
        self._pages = pages
        self._next = max(self._next, run.first + len(run.encoded))

    def note(self, batch: Batch) -> None:
        """Note which series and instants the histograms of a batch belong to."""
        if not self._next:
            return
        marked = is_marker(batch.values)
        if not marked.any():
            return
        found = numbers(batch.values[marked])
        # A number whose histogram was lost is not given again.
        self._next = max(self._next, int(found.max()) + 1)
        refs = batch.refs[marked]
        if (highest := int(refs.max())) >= len(self._series):
            series = np.zeros(max(highest + 1, 2 * len(self._series)), dtype=np.bool_)
            series[: len(self._series)] = self._series
            self._series = series
        self._series[refs] = True
        pages = found >> _PAGE_BITS
        for page in np.unique(pages).tolist():
            newest = int(batch.times[marked][pages == page].max())
            self._latest[page] = max(self._latest.get(page, NEVER), newest)

    def drop_before(self, cutoff: Timestamp) -> None:
        """Forget the pages that hold nothing at or after `cutoff`."""
        full = self._next >> _PAGE_BITS
        expired = {
            page for page in self._pages if page < full and self._latest.get(page, NEVER) < cutoff
        }
        if expired:
            self._pages = {page: kept for page, kept in self._pages.items() if page not in expired}
            for page in expired:
                self._latest.pop(page, None)


def _told(histogram: FloatHistogram, previous: FloatHistogram | None) -> FloatHistogram:
    """Return a sample with what can be told of a reset between it and the one before.

    The hint NOT_RESET is given only to samples of one layout, as upstream gives
    it within a chunk; of all others the reader finds out.
    """
    if histogram.hint is CounterResetHint.GAUGE:
        return histogram
    unhinted = histogram.hinted(CounterResetHint.UNKNOWN)
    if previous is None:
        return unhinted
    reset = is_reset(unhinted, previous)
    follows = (
        not reset
        and previous.hint is not CounterResetHint.GAUGE
        and histogram.hint is not CounterResetHint.RESET
        and histogram.schema == previous.schema
        and histogram.zero_threshold == previous.zero_threshold
        and histogram.custom_values == previous.custom_values
    )
    if follows:
        return histogram.hinted(CounterResetHint.NOT_RESET)
    detected = CounterResetHint.RESET if reset else CounterResetHint.NOT_RESET
    return replace(unhinted, detected=detected)
