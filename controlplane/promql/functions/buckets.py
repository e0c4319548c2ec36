"""Classic histograms: quantiles and fractions from cumulative buckets.

Which rows are the buckets of one histogram, and their bounds, is found once for
a set of series; histograms with equally many buckets are computed together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.series import Key, SeriesSet

BUCKET_LABEL = "le"
# Relative differences below this are rounding errors of summed rates.
_TOLERANCE = 1e-12
_SMALLEST_NORMAL = 2.2250738585072014e-308


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Histograms with `b` buckets: numbers (g,), rows and rising bounds (g, b)."""

    numbers: Refs
    rows: Refs
    bounds: Values


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """The histograms among a set of series, and the rows that are no bucket."""

    series: SeriesSet
    shapes: Sequence[Shape]
    bad_rows: Sequence[int]

    def beside(self, series: SeriesSet) -> dict[int, Refs]:
        """Return the rows of buckets whose labels, but for `le`, are those of a row of `series`."""
        numbers = {labels: number for number, labels in enumerate(self.series.labels)}
        found = {}
        for row, labels in enumerate(series.labels):
            number = numbers.get(labels)
            for shape in self.shapes if number is not None else ():
                place = np.flatnonzero(shape.numbers == number)
                if len(place):
                    found[row] = shape.rows[place[0]]
        return found


@dataclass(slots=True)
class Repairs:
    """Where decreasing counts had to be raised: bounds, greatest difference, how often, when."""

    low: float = math.inf
    high: float = -math.inf
    most: float = 0.0
    count: int = 0
    steps: list[int] = field(default_factory=list)


@lru_cache(maxsize=4096)
def parse_bound(text: str) -> float | None:
    """Return the upper bound that a `le` label names, or None."""
    if not text or text != text.strip() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def histograms(series: SeriesSet) -> Histograms:
    """Find the histograms: series that differ in `le` only, in order of their bounds."""
    members: dict[tuple[Key, bool], list[tuple[float, int]]] = {}
    bad: list[int] = []
    marks = [False] * len(series) if series.drops is None else series.drops.tolist()
    for row, labels in enumerate(series.labels):
        bound = parse_bound(labels.value(BUCKET_LABEL))
        if bound is None:
            bad.append(row)
        else:
            key = (tuple([p for p in labels.pairs if p[0] != BUCKET_LABEL]), marks[row])
            members.setdefault(key, []).append((bound, row))
    drops = None if series.drops is None else np.array([m for _, m in members], dtype=bool)
    by_size: dict[int, list[tuple[int, list[tuple[float, int]]]]] = {}
    for number, buckets in enumerate(members.values()):
        by_size.setdefault(len(buckets), []).append((number, sorted(buckets)))
    shapes = [_shape(found) for found in by_size.values()]
    return Histograms(SeriesSet([Labels(key) for key, _ in members], drops), shapes, bad)


def _shape(found: list[tuple[int, list[tuple[float, int]]]]) -> Shape:
    return Shape(
        np.array([number for number, _ in found], dtype=np.int64),
        np.array([[row for _, row in buckets] for _, buckets in found], dtype=np.int64),
        np.array([[bound for bound, _ in buckets] for _, buckets in found]),
    )


def quantiles(
    rank: Values, found: Histograms, values: Values, present: Mask, repairs: dict[int, Repairs]
) -> tuple[Values, Mask]:
    """Return the quantile `rank[j]` of each histogram at instant j, (histograms, k).

    Notes in `repairs`, by histogram, where counts had to be made monotonic.
    """
    size, steps = len(found.series), values.shape[1]
    result, there = np.full((size, steps), np.nan), np.zeros((size, steps), dtype=bool)
    for shape in found.shapes:
        counts, has = values[shape.rows], present[shape.rows]
        whole = has.all(axis=1)
        there[shape.numbers] = has.any(axis=1)
        distinct = bool((np.diff(shape.bounds, axis=1) > 0).all())
        if distinct and whole.all():
            noted = _Noted(shape.numbers, repairs)
            result[shape.numbers] = _shape_quantiles(rank, shape.bounds, counts, noted)
            continue
        for place, step in zip(*np.nonzero(there[shape.numbers]), strict=True):
            chosen = has[place, :, step]
            bounds, cells = merge_bounds(shape.bounds[place, chosen], counts[place, chosen, step])
            noted = _Noted(shape.numbers[place : place + 1], repairs, int(step))
            result[shape.numbers[place], step] = _shape_quantiles(
                rank[step : step + 1], bounds[None, :], cells[None, :, None], noted
            )[0, 0]
    return result, there


def merge_bounds(bounds: Values, counts: Values) -> tuple[Values, Values]:
    """Add up the counts of buckets with the same bound; bounds are sorted."""
    distinct, index = np.unique(bounds, return_inverse=True)
    merged = np.zeros(len(distinct))
    np.add.at(merged, index, counts)
    return distinct, merged


@dataclass(frozen=True, slots=True)
class _Noted:
    """Where repairs of some histograms are noted."""

    numbers: Refs
    repairs: dict[int, Repairs]
    step: int = 0

    def add(self, raised: Mask, bounds: Values, difference: Values) -> None:
        """Note the cells (g, k) of one bucket whose count was raised."""
        for place, step in zip(*np.nonzero(raised), strict=True):
            noted = self.repairs.setdefault(int(self.numbers[place]), Repairs())
            noted.low = min(noted.low, float(bounds[place]))
            noted.high = max(noted.high, float(bounds[place]))
            noted.most = max(noted.most, float(difference[place, step]))
            noted.steps.append(int(step) + self.step)


def _shape_quantiles(rank: Values, bounds: Values, counts: Values, noted: _Noted) -> Values:
    """Return quantiles (g, k) for bounds (g, b) and counts (g, b, k), all present."""
    groups, buckets, steps = counts.shape
    usable = np.isposinf(bounds[:, -1]) & (buckets >= 2)
    regular = (rank >= 0) & (rank <= 1)
    out_of_range = np.where(rank < 0, -np.inf, np.where(rank > 1, np.inf, np.nan))
    result: Values = np.broadcast_to(out_of_range, (groups, steps)).copy()
    if not usable.any() or not regular.any():
        return np.where(~regular, result, np.nan)
    counts = monotonic(counts, bounds, noted, usable)
    total = counts[:, -1]
    wanted = rank * total
    # The first bucket whose count reaches the rank; the last one if none does.
    reached = counts[:, :-1] >= wanted[:, None]
    at = np.where(reached.any(axis=1), reached.argmax(axis=1), buckets - 1)
    upper = np.take_along_axis(bounds, at, axis=1)
    before = np.maximum(at - 1, 0)
    start = np.where(at > 0, np.take_along_axis(bounds, before, axis=1), 0.0)
    below = np.where(at > 0, np.take_along_axis(counts, before[:, None], axis=1)[:, 0], 0.0)
    inside = np.take_along_axis(counts, at[:, None], axis=1)[:, 0] - below
    found = start + (upper - start) * ((wanted - below) / inside)
    found = np.where((at == 0) & (upper <= 0), upper, found)
    found = np.where(at == buckets - 1, bounds[:, -2:-1], found)
    found = np.where((total == 0) | ~usable[:, None], np.nan, found)
    return np.where(regular, found, result)


def monotonic(counts: Values, bounds: Values, noted: _Noted, usable: Mask) -> Values:
    """Return counts that never fall from bucket to bucket, tiny differences levelled."""
    falls = np.diff(counts, axis=1)
    if not ((falls < 0) | _nearly_equal(counts[:, :-1], counts[:, 1:])).any():
        return counts
    fixed = counts.copy()
    before = counts[:, 0]
    for bucket in range(1, counts.shape[1]):
        current = counts[:, bucket]
        level = _nearly_equal(before, current)
        raised = (current < before) & ~level & usable[:, None]
        noted.add(raised, bounds[:, bucket], before - current)
        fixed[:, bucket] = np.where(level | raised, before, current)
        before = np.where(level | raised, before, current)
    return fixed


def _nearly_equal(left: Values, right: Values) -> Mask:
    """Tell where two counts differ, and by no more than rounding."""
    difference, scale = np.abs(left - right), np.abs(left) + np.abs(right)
    tiny = (left == 0) | (right == 0) | (scale < _SMALLEST_NORMAL)
    limit = np.where(tiny, _TOLERANCE * _SMALLEST_NORMAL, _TOLERANCE * scale)
    result: Mask = (left != right) & (difference < limit)
    return result


def fractions(
    low: Values, high: Values, found: Histograms, values: Values, present: Mask
) -> tuple[Values, Mask]:
    """Return the share of observations within [low, high] of each histogram at each instant."""
    size, steps = len(found.series), values.shape[1]
    result, there = np.full((size, steps), np.nan), np.zeros((size, steps), dtype=bool)
    for shape in found.shapes:
        there[shape.numbers] = present[shape.rows].any(axis=1)
        for place, step in zip(*np.nonzero(there[shape.numbers]), strict=True):
            chosen = present[shape.rows[place], step]
            bounds, counts = merge_bounds(
                shape.bounds[place, chosen], values[shape.rows[place][chosen], step]
            )
            result[shape.numbers[place], step] = fraction(
                float(low[step]), float(high[step]), bounds, counts
            )
    return result, there


def fraction(low: float, high: float, bounds: Values, counts: Values) -> float:
    """Return the share of observations between two values of one histogram."""
    total = float(counts[-1])
    if not math.isinf(bounds[-1]) or total == 0 or math.isnan(low) or math.isnan(high):
        return math.nan
    if low >= high:
        return 0.0
    return (_rank_of(high, bounds, counts) - _rank_of(low, bounds, counts)) / total


def _rank_of(value: float, bounds: Values, counts: Values) -> float:
    """Return how many observations lie below a value, linear within its bucket."""
    total = float(counts[-1])
    start = 0.0 if bounds[0] > 0 else -math.inf
    below = 0.0
    pairs: list[tuple[float, float]] = list(zip(bounds.tolist(), counts.tolist(), strict=True))
    for bound, count in pairs:
        if start >= value:
            return min(below, total)
        if bound > value:
            if math.isinf(start):
                return min(count, total)
            share = 0.0 if math.isinf(bound) else (value - start) / (bound - start)
            return min(below + (count - below) * share, total)
        start, below = bound, count
    return total
