"""A sample store that is nothing but lists: the model that fast ones are compared with."""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, matches_all
from controlplane.model.samples import STALE_BITS, Refs, Times, Values
from controlplane.tsdb.lattice import Lattice
from controlplane.tsdb.ports import CounterWindows, Instants, Window

Sample = tuple[Timestamp, float]


class ListStore:
    """Series in lists. A Queryable whose snapshots are itself; sample by sample, never fast."""

    def __init__(self, series: Mapping[Labels, Iterable[Sample]] | None = None) -> None:
        self._series: list[tuple[Labels, list[Sample]]] = []
        self._generation = 0
        for labels, samples in (series or {}).items():
            self.add(labels, samples)

    def add(self, labels: Labels, samples: Iterable[Sample]) -> None:
        """Add samples to a series; of two at one instant the later added counts."""
        for known, kept in self._series:
            if known == labels:
                merged = dict(kept) | dict(samples)
                kept[:] = sorted(merged.items(), key=lambda sample: sample[0])
                return
        self._series.append((labels, sorted(dict(samples).items(), key=lambda s: s[0])))
        self._generation += 1

    def querier(self) -> "ListStore":
        return self

    @property
    def generation(self) -> int:
        return self._generation

    def reaching(self, start: Timestamp) -> "ListStore":
        return self

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        found = [i for i, (ls, _) in enumerate(self._series) if matches_all(matchers, ls)]
        return np.array(found, dtype=np.int64)

    def labels(self, refs: Refs) -> Sequence[Labels]:
        return [self._series[ref][0] for ref in refs.tolist()]

    def lattices(self, refs: Refs, ends: Times, width: Duration) -> Sequence[tuple[Refs, Lattice]]:
        """Find nothing regular: all is asked of `window`."""
        return ()

    def newest_times(self, refs: Refs) -> None:
        """Say nothing: a series may be given an older sample at any time."""

    def histograms(self, refs: Refs) -> None:
        """Say that all samples are floats."""

    def label_names(self) -> Sequence[str]:
        return sorted({name for labels, _ in self._series for name in labels})

    def label_values(self, name: str) -> Sequence[str]:
        return sorted({labels[name] for labels, _ in self._series if name in labels})

    def within(self, ref: int, start: Timestamp, end: Timestamp) -> Sequence[Sample]:
        """Return the samples within (start, end], staleness markers left out."""
        samples = self._series[ref][1]
        low = bisect.bisect_right(samples, start, key=lambda s: s[0])
        high = bisect.bisect_right(samples, end, key=lambda s: s[0])
        return [sample for sample in samples[low:high] if not _is_stale(sample[1])]

    def newest(self, ref: int, time: Timestamp, lookback: Duration) -> Sample | None:
        """Return the newest sample within (time - lookback, time], None if that is a marker."""
        samples = self._series[ref][1]
        index = bisect.bisect_right(samples, time, key=lambda s: s[0]) - 1
        if index < 0 or samples[index][0] <= time - lookback or _is_stale(samples[index][1]):
            return None
        return samples[index]

    def instants(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        values, stamps, present = _arrays(len(refs), len(times))
        for i, ref in enumerate(refs.tolist()):
            for j, time in enumerate(times.tolist()):
                if (sample := self.newest(ref, time, lookback)) is not None:
                    stamps[i, j], values[i, j] = sample
                    present[i, j] = True
        return Instants(values, stamps, present)

    def window(self, refs: Refs, start: Timestamp, end: Timestamp) -> Window:
        found = [self.within(ref, start, end) for ref in refs.tolist()]
        flat = [sample for samples in found for sample in samples]
        return Window(
            np.array([value for _, value in flat], dtype=np.float64),
            np.array([time for time, _ in flat], dtype=np.int64),
            np.cumsum([0, *map(len, found)], dtype=np.int64),
        )

    def counters(self, refs: Refs, ends: Times, width: Duration) -> CounterWindows:
        first, first_times, _ = _arrays(len(refs), len(ends))
        last, last_times, _ = _arrays(len(refs), len(ends))
        resets, count, _ = _arrays(len(refs), len(ends))
        for i, ref in enumerate(refs.tolist()):
            for j, end in enumerate(ends.tolist()):
                samples = self.within(ref, end - width, end)
                count[i, j] = len(samples)
                if samples:
                    first_times[i, j], first[i, j] = samples[0]
                    last_times[i, j], last[i, j] = samples[-1]
                pairs = pairwise(samples)
                resets[i, j] = sum(before for (_, before), (_, after) in pairs if after < before)
        return CounterWindows(first, last, first_times, last_times, resets, count)


def _arrays(rows: int, columns: int) -> tuple[Values, Times, np.ndarray]:
    shape = (rows, columns)
    return np.zeros(shape), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)


def _is_stale(value: float) -> bool:
    return int(np.array([value]).view(np.uint64)[0]) == STALE_BITS
