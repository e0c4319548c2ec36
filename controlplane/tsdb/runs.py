"""Arithmetic on windows of samples laid out series after series.

`Samples` is the internal form of `ports.Window`: staleness markers may be in.
The functions look samples up for all series and instants at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from controlplane.clock import Duration
from controlplane.model.samples import Mask, Refs, Times, Values, is_stale
from controlplane.tsdb.ports import CounterWindows, Instants


@dataclass(frozen=True, slots=True)
class Samples:
    """Series i has `values[offsets[i]:offsets[i + 1]]`; times alike, strictly rising."""

    values: Values
    times: Times
    offsets: Refs

    def owners(self) -> Refs:
        """Return for each sample the place of its series."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int64), self.counts)

    @property
    def counts(self) -> Refs:
        return np.diff(self.offsets)


def nothing(series: int) -> Samples:
    """Return no samples of any series."""
    return Samples(
        np.empty(0, dtype=np.float64),
        np.empty(0, dtype=np.int64),
        np.zeros(series + 1, dtype=np.int64),
    )


def keep(samples: Samples, mask: Mask) -> Samples:
    """Return the samples at which `mask` is set."""
    if mask.all():
        return samples
    before = np.concatenate(([0], np.cumsum(mask, dtype=np.int64)))
    return Samples(samples.values[mask], samples.times[mask], before[samples.offsets])


def without_stale(samples: Samples) -> Samples:
    """Leave the staleness markers out."""
    return keep(samples, ~is_stale(samples.values))


def merge(series: int, parts: Sequence[Samples]) -> Samples:
    """Put parts one after the other, series by series; each is newer than the one before."""
    parts = [part for part in parts if len(part.times)]
    if not parts:
        return nothing(series)
    if len(parts) == 1:
        return parts[0]
    counts = [part.counts for part in parts]
    offsets = np.concatenate(([0], np.cumsum(np.sum(counts, axis=0))))
    values = np.empty(offsets[-1], dtype=np.float64)
    times = np.empty(offsets[-1], dtype=np.int64)
    begin = offsets[:-1].copy()
    for part, count in zip(parts, counts, strict=True):
        place = np.repeat(begin - part.offsets[:-1], count) + np.arange(len(part.times))
        values[place] = part.values
        times[place] = part.times
        begin += count
    return Samples(values, times, offsets)


def sort(series: int, owners: Refs, times: Times, values: Values) -> Samples:
    """Return samples that stand in any order as those of `series` series."""
    order = np.lexsort((times, owners))
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=series))))
    return Samples(values[order], times[order], offsets)


def spread(samples: Samples, mask: Mask) -> Samples:
    """Return samples of the series at which `mask` is set as samples of all, (len(mask),)."""
    counts = np.zeros(len(mask), dtype=np.int64)
    counts[mask] = samples.counts
    return Samples(samples.values, samples.times, np.concatenate(([0], np.cumsum(counts))))


def cut(samples: Samples, places: Refs, refs_found: Mask) -> Samples:
    """Return, for each wanted series, the run at `places`, or nothing where not found."""
    counts = np.where(refs_found, samples.counts[places], 0)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    take = np.repeat(samples.offsets[places] - offsets[:-1], counts) + np.arange(offsets[-1])
    return Samples(samples.values[take], samples.times[take], offsets)


def up_to(samples: Samples, instants: Times) -> Refs:
    """Return for n series and k instants the end of the samples at or before each, (n, k)."""
    if not len(samples.times) or not len(instants):
        return np.repeat(samples.offsets[:-1, None], len(instants), axis=1)
    series = np.arange(len(samples.offsets) - 1, dtype=np.int64)
    times, wanted, span = _narrowed(samples.times, instants, len(series))
    keys = np.repeat(series, samples.counts) * span + times
    ends: Refs = np.searchsorted(keys, series[:, None] * span + wanted[None, :], side="right")
    return ends


def _narrowed(times: Times, instants: Times, series: int) -> tuple[Times, Times, int]:
    """Map instants to small numbers in the same order, so that series * span fits 64 bits."""
    lowest, span = int(times.min()), int(times.max()) - int(times.min()) + 2
    if span * series < 2**62:
        return times - lowest + 1, np.clip(instants - lowest + 1, 0, span - 1), span
    ranks = np.unique(times)
    places = np.searchsorted(ranks, times) + 1
    return places, np.searchsorted(ranks, instants, side="right"), len(ranks) + 1


def newest(samples: Samples, times: Times, lookback: Duration) -> Instants:
    """Return the newest samples within (t - lookback, t]; `samples` holds the markers."""
    ends = up_to(samples, times)
    found = ends > samples.offsets[:-1, None]
    if not len(samples.times):
        shape = ends.shape
        return Instants(np.zeros(shape), np.zeros(shape, dtype=np.int64), found)
    place = np.maximum(ends - 1, 0)
    values = samples.values[place]
    at = samples.times[place]
    present = found & (at > times[None, :] - lookback) & ~is_stale(values)
    return Instants(values, at, present)


def course(samples: Samples, ends: Times, width: Duration) -> CounterWindows:
    """Return the counter's course within (e - width, e]; `samples` holds no markers."""
    high = up_to(samples, ends)
    low = up_to(samples, ends - width)
    count = high - low
    shape = count.shape
    if not len(samples.times):
        empty, never = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        return CounterWindows(empty, empty, never, never, empty, count)
    first = np.minimum(low, len(samples.times) - 1)
    last = np.maximum(high - 1, 0)
    return CounterWindows(
        samples.values[first],
        samples.values[last],
        samples.times[first],
        samples.times[last],
        _resets(samples.values, low, high),
        count,
    )


def nowhere(series: int, instants: int) -> Instants:
    """Return an answer with no sample in it, for others to write over."""
    shape = (series, instants)
    return Instants(
        np.zeros(shape), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    )


def no_course(series: int, windows: int) -> CounterWindows:
    """Return a course with no sample in it, for others to write over."""
    shape = (series, windows)
    return CounterWindows(
        first=np.zeros(shape),
        last=np.zeros(shape),
        first_times=np.zeros(shape, dtype=np.int64),
        last_times=np.zeros(shape, dtype=np.int64),
        resets=np.zeros(shape),
        count=np.zeros(shape, dtype=np.int64),
    )


_Table = TypeVar("_Table", Instants, CounterWindows)


def pick(table: _Table, rows: Mask | Refs) -> _Table:
    """Return some rows of an answer."""
    return type(table)(*(getattr(table, field.name)[rows] for field in fields(table)))


def put(table: _Table, rows: Mask, part: _Table) -> None:
    """Write `part` over some rows of an answer."""
    for field in fields(table):
        getattr(table, field.name)[rows] = getattr(part, field.name)


def _resets(values: Values, low: Refs, high: Refs) -> Values:
    """Sum up, for each [low, high), the values before each decrease."""
    drops = np.zeros(len(values) + 1)
    fell = values[1:] < values[:-1]
    drops[1:-1][fell] = values[:-1][fell]
    if not fell.any():
        return np.zeros(low.shape)
    begin = np.minimum(low + 1, high)
    bounds = np.stack((begin, high), axis=-1).reshape(-1)
    sums = np.add.reduceat(drops, bounds)[::2].reshape(low.shape)
    return np.where(high > begin, sums, 0.0)


def follow(older: CounterWindows, newer: CounterWindows) -> CounterWindows:
    """Join the courses of two parts of the same series, one after the other in time."""
    had, has = older.count > 0, newer.count > 0
    both = had & has
    fell = both & (newer.first < older.last)
    return CounterWindows(
        np.where(had, older.first, newer.first),
        np.where(has, newer.last, older.last),
        np.where(had, older.first_times, newer.first_times),
        np.where(has, newer.last_times, older.last_times),
        np.where(had, older.resets, 0.0)
        + np.where(has, newer.resets, 0.0)
        + np.where(fell, older.last, 0.0),
        older.count + newer.count,
    )
