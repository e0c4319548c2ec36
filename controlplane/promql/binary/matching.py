"""Which series of two sides pair up, found once for two sets of series.

A pair is a row of the left and a row of the right side with the same signature
(the labels of `on`, or all but those of `ignoring` and the name). Usually the
series alone decide that pairs are unique; where they do not (two generations of
a series, only one of them alive), presence decides at each instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import Mask, Refs
from controlplane.promql.ast import BinaryExpr, Cardinality, VectorMatching
from controlplane.promql.binary.arithmetic import CALCULATE
from controlplane.promql.series import (
    METADATA_LABELS,
    Key,
    LazyLabels,
    Merge,
    Relabelled,
    SeriesSet,
    merge_equal,
    nameless,
)

# The row of a side that is not there, where a fill value stands for it.
ABSENT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """The signature number of each row of both sides; `size` numbers in all."""

    left: Refs
    right: Refs
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Pairs as rows of the many and the one side, and the series that they give.

    `one_unique` and `many_unique` tell that no signature occurs twice on that
    side. `merge` joins pairs with equal labels, `clashes` finds pairs of one
    signature with equal labels; both are None when there are none.
    """

    many: Refs
    one: Refs
    signatures_many: Refs
    signatures_one: Refs
    size: int
    one_unique: bool
    many_unique: bool
    series: SeriesSet
    merge: Merge | None
    clashes: Merge | None

    @property
    def identity(self) -> bool:
        """Tell whether every row of the many side has exactly one pair, in order."""
        count = len(self.signatures_many)
        return len(self.many) == count and bool(np.all(self.many == np.arange(count)))


def signatures(left: SeriesSet, right: SeriesSet, matching: VectorMatching) -> Signatures:
    """Number the signatures of both sides in order of first appearance."""
    number: dict[Key, int] = {}

    def numbered(series: SeriesSet) -> Refs:
        keys = series.keys(matching.labels, without=not matching.on)
        return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)

    return Signatures(numbered(left), numbered(right), len(number))


def matched_labels(labels: Labels, matching: VectorMatching) -> Labels:
    """Return the labels by which a series pairs up: those of its message, or of its filling."""
    if matching.on:
        return labels.keep(matching.labels)
    return labels.drop(METRIC_NAME, *matching.labels)


def pair(many: SeriesSet, one: SeriesSet, expr: BinaryExpr, *, late: bool) -> Pairing:
    """Pair the rows of the many side (of a one-to-one match: the left) with the one side."""
    matching = expr.matching
    numbers = signatures(many, one, matching)
    # As upstream has it, `fill_left` stands for the many side even with group_right.
    fill_many, fill_one = matching.fill_left is not None, matching.fill_right is not None
    many_rows, one_rows = _pairs(numbers, fill_many=fill_many, fill_one=fill_one)
    one_unique = len(np.unique(numbers.right)) == len(numbers.right)
    many_unique = len(np.unique(numbers.left)) == len(numbers.left)
    labels = _result_labels(many, one, many_rows, one_rows, expr, late=late)
    drops = np.full(len(labels), fill_value=True) if late and expr.return_bool else None
    apart = many_unique and _is_signature(expr, late=late)
    if one_unique and (apart or _stay_apart(many, expr, late=late)):
        merged = Relabelled(SeriesSet(labels, drops), None)
    else:
        merged = merge_equal(list(labels), drops)
    clashes = None
    if matching.cardinality is not Cardinality.ONE_TO_ONE and merged.merge is not None:
        by_signature = _pair_signatures(numbers, many_rows, one_rows)
        clashes = merge_equal(
            [ls.merge({"\0": str(n)}) for ls, n in zip(labels, by_signature, strict=True)]
        ).merge
    return Pairing(
        many_rows,
        one_rows,
        numbers.left,
        numbers.right,
        numbers.size,
        one_unique,
        many_unique,
        merged.series,
        merged.merge,
        clashes,
    )


def _pairs(numbers: Signatures, *, fill_many: bool, fill_one: bool) -> tuple[Refs, Refs]:
    """Return all pairs of rows with the same signature, in order of the many side."""
    order = np.argsort(numbers.right, kind="stable")
    ordered = numbers.right[order]
    low = np.searchsorted(ordered, numbers.left, side="left")
    high = np.searchsorted(ordered, numbers.left, side="right")
    found = high - low
    many = np.repeat(np.arange(len(numbers.left)), found)
    within = np.arange(len(many)) - np.repeat(np.cumsum(found) - found, found)
    one = order[np.repeat(low, found) + within] if len(many) else np.zeros(0, dtype=np.int64)
    if fill_one:
        rows = np.arange(len(numbers.left))
        many, one = np.r_[many, rows], np.r_[one, np.full(len(rows), ABSENT)]
    if fill_many:
        rows = np.arange(len(numbers.right))
        many, one = np.r_[many, np.full(len(rows), ABSENT)], np.r_[one, rows]
    return many, one


def _pair_signatures(numbers: Signatures, many: Refs, one: Refs) -> Refs:
    from_many = numbers.left[many] if len(numbers.left) else many
    from_one = numbers.right[one] if len(numbers.right) else one
    result: Refs = np.where(many == ABSENT, from_one, from_many)
    return result


def _result_labels(
    many: SeriesSet,
    one: SeriesSet,
    many_rows: Refs,
    one_rows: Refs,
    expr: BinaryExpr,
    *,
    late: bool,
) -> Sequence[Labels]:
    drop_name = _drops_name(expr, late=late)
    lefts, rights = many_rows.tolist(), one_rows.tolist()

    def make(pair: int) -> Labels:
        left, right = lefts[pair], rights[pair]
        if left == ABSENT:
            theirs = one.labels[right]
            ours = matched_labels(theirs, expr.matching)
        else:
            ours = many.labels[left]
            theirs = matched_labels(ours, expr.matching) if right == ABSENT else one.labels[right]
        return _result(ours, theirs, expr.matching, drop_name=drop_name)

    return LazyLabels(len(lefts), make)


def _drops_name(expr: BinaryExpr, *, late: bool) -> bool:
    return expr.op in CALCULATE or (expr.return_bool and not late)


def _stay_apart(many: SeriesSet, expr: BinaryExpr, *, late: bool) -> bool:
    """Tell whether pairs keep the labels by which the many side's series differ."""
    matching = expr.matching
    filled = matching.fill_left is not None or matching.fill_right is not None
    if matching.cardinality is Cardinality.ONE_TO_ONE or filled or matching.include:
        return False
    return not _drops_name(expr, late=late) or nameless(many).merge is None


def _is_signature(expr: BinaryExpr, *, late: bool) -> bool:
    """Tell whether a pair's labels are its signature, and so no other pair's."""
    matching = expr.matching
    named = not matching.on and not _drops_name(expr, late=late)
    filled = matching.fill_left is not None or matching.fill_right is not None
    one_to_one = matching.cardinality is Cardinality.ONE_TO_ONE
    return one_to_one and not named and not filled and not matching.include


def _result(ours: Labels, theirs: Labels, matching: VectorMatching, *, drop_name: bool) -> Labels:
    result = ours.drop(*METADATA_LABELS) if drop_name else ours
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        result = result.keep(matching.labels) if matching.on else result.drop(*matching.labels)
    if matching.include:
        result = result.merge({name: theirs.value(name) for name in matching.include})
    return result


def counts_by_signature(present: Mask, numbers: Refs, size: int) -> Refs:
    """Return how many rows of each signature are present at each instant, (size, k)."""
    counted = np.zeros((size, present.shape[1]), dtype=np.int64)
    np.add.at(counted, numbers, present)
    return counted
