"""Compensated summation over columns: what Neumaier's algorithm gives, in whole arrays.

Rows are added pairwise, the rounding error of every addition kept beside the
sum (Knuth's TwoSum), so that `1 + 1e100 + 1 - 1e100` is 2 and the work is a few
array operations for each halving of the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.model.samples import Refs, Values
from controlplane.promql.series import ranks


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One halving: rows `first` and `second` are added, rows `alone` have no partner."""

    first: Refs
    second: Refs
    first_at: Refs
    alone: Refs
    alone_at: Refs
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Rows sorted by group, and the halvings that reduce each group to one row."""

    order: Refs
    levels: Sequence[_Level]
    size: int


def segments(groups: Refs, size: int) -> Segments:
    """Return how to add up rows by group number; every number below `size` occurs."""
    order = np.argsort(groups, kind="stable")
    current = groups[order]
    levels = []
    while len(current) > size:
        rank = ranks(current)
        rows = np.arange(len(current))
        is_first = rank % 2 == 0
        at = np.cumsum(is_first) - 1
        second = rows[~is_first]
        has_partner = np.zeros(len(current), dtype=bool)
        has_partner[second - 1] = True
        alone = rows[is_first & ~has_partner]
        levels.append(_Level(second - 1, second, at[second - 1], alone, at[alone], int(at[-1]) + 1))
        current = current[is_first]
    return Segments(order, levels, size)


def group_sums(values: Values, plan: Segments) -> Values:
    """Return the sum of each group; `values` (n, k) gives (groups, k)."""
    sums = values[plan.order]
    if not plan.levels:
        return sums
    errors = np.zeros_like(sums)
    for level in plan.levels:
        left, right = sums[level.first], sums[level.second]
        total = left + right
        virtual = total - left
        error = (left - (total - virtual)) + (right - virtual)
        error += errors[level.first]
        error += errors[level.second]
        next_sums = np.empty((level.size, values.shape[1]))
        next_errors = np.empty_like(next_sums)
        next_sums[level.first_at], next_errors[level.first_at] = total, error
        if len(level.alone):
            next_sums[level.alone_at] = sums[level.alone]
            next_errors[level.alone_at] = errors[level.alone]
        sums, errors = next_sums, next_errors
    # Where the sum itself is infinite or no number, the errors mean nothing.
    return np.where(np.isfinite(sums), sums + np.nan_to_num(errors, posinf=0.0, neginf=0.0), sums)


class RunningSum:
    """Neumaier's sum, one column of a time after the other; arrays of any shape.

    The rounding error of each addition is Knuth's TwoSum, which needs no branch.
    """

    __slots__ = ("_error", "_left", "_right", "_sum", "_total")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._error = np.zeros(shape)
        # Room for what stands between two operations, so that none is asked for.
        self._total, self._left, self._right = (np.empty(shape) for _ in range(3))

    def add(self, values: Values) -> None:
        before, total, left, right = self._sum, self._total, self._left, self._right
        np.add(before, values, out=total)
        np.subtract(total, before, out=right)
        np.subtract(total, right, out=left)
        np.subtract(before, left, out=left)
        np.subtract(values, right, out=right)
        np.add(left, right, out=left)
        np.add(self._error, left, out=self._error)
        self._sum, self._total = total, before

    def total(self) -> Values:
        # Where the sum itself is infinite or no number, so is the error.
        result: Values = np.where(np.isfinite(self._error), self._sum + self._error, self._sum)
        return result
