"""What the columns stand on: compensated sums, kept structures, lazily made labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.promql.aggregations.choosing import best
from controlplane.promql.aggregations.grouping import group as grouped
from controlplane.promql.errors import EvaluationError
from controlplane.promql.selecting import edges
from controlplane.promql.series import (
    LazyLabels,
    Memo,
    SeriesSet,
    layers,
    merge_equal,
    nameless,
)
from controlplane.promql.sums import RunningSum, group_sums, segments

_FLOATS = st.floats(-1e300, 1e300)


@given(st.lists(st.tuples(st.integers(0, 3), _FLOATS), min_size=1, max_size=60))
def test_group_sums_are_exact_to_the_last_digits(rows: list[tuple[int, float]]) -> None:
    """The sum of each group is what adding without rounding gives, nearly."""
    known = sorted({group for group, _ in rows})
    groups = np.array([known.index(group) for group, _ in rows])
    values = np.array([[value] for _, value in rows])
    found = group_sums(values, segments(groups, len(known)))[:, 0]
    for number, group in enumerate(known):
        addends = [value for g, value in rows if g == group]
        exact = math.fsum(addends)
        largest = max(abs(value) for value in addends)
        assert math.isclose(found[number], exact, rel_tol=1e-12, abs_tol=largest * 1e-28)


def test_small_addends_survive_large_ones() -> None:
    """`1 + 1e100 + 1 - 1e100` is 2, in rows and over time."""
    addends = [1.0, 1e100, 1.0, -1e100]
    groups = np.zeros(4, dtype=np.int64)
    assert group_sums(np.array(addends)[:, None], segments(groups, 1)).tolist() == [[2.0]]
    running = RunningSum((1,))
    for addend in addends:
        running.add(np.array([addend]))
    assert running.total().tolist() == [2.0]


@pytest.mark.parametrize(
    ("addends", "total"),
    [([math.inf, 1.0], math.inf), ([math.inf, -math.inf], math.nan), ([math.nan, 1.0], math.nan)],
)
def test_sums_of_what_is_no_number(addends: list[float], total: float) -> None:
    """Infinities and NaN add up as the processor adds them."""
    with np.errstate(invalid="ignore"):
        found = group_sums(np.array(addends)[:, None], segments(np.zeros(2, dtype=np.int64), 1))
    assert found[0, 0] == pytest.approx(total, nan_ok=True)


def test_a_memo_keeps_the_last_of_the_same_objects() -> None:
    """The same objects are not computed twice, equal ones are."""
    calls: list[object] = []

    def make(series: SeriesSet) -> int:
        calls.append(series)
        return len(calls)

    memo: Memo[int] = Memo()
    first, second = SeriesSet([Labels({"a": "b"})]), SeriesSet([Labels({"a": "b"})])
    assert [memo.get(make, s) for s in (first, first, second, first)] == [1, 1, 2, 3]


def test_lazy_labels_are_made_once() -> None:
    """A label set is made at the first look, and slices are lists of them."""
    made: list[int] = []

    def make(row: int) -> Labels:
        made.append(row)
        return Labels({"row": str(row)})

    labels = LazyLabels(3, make)
    assert labels[1] is labels[1]
    assert [str(ls) for ls in labels[1:]] == ['{row="1"}', '{row="2"}']
    assert made == [1, 2]
    with pytest.raises(IndexError):
        labels[3]


def test_names_that_tell_series_apart_are_noticed() -> None:
    """Dropping one name merges nothing; dropping different ones may."""
    same = SeriesSet([Labels({"__name__": "a", "n": n}) for n in "xy"])
    assert nameless(same).merge is None
    assert list(nameless(same).series.labels) == [Labels({"n": "x"}), Labels({"n": "y"})]
    different = SeriesSet([Labels({"__name__": name, "n": "x"}) for name in "ab"])
    change = nameless(different)
    assert list(change.series.labels) == [Labels({"n": "x"})]
    assert change.merge is not None


def test_merging_fills_in_and_refuses_what_collides() -> None:
    """Rows that became equal join where only one is present."""
    change = merge_equal([Labels({"a": "b"})] * 2)
    assert change.merge is not None
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    apart = np.array([[True, False], [False, True]])
    merged, present = change.merge.apply(values, apart)
    assert (merged.tolist(), present.tolist()) == ([[1.0, 4.0]], [[True, True]])
    with pytest.raises(EvaluationError, match="same labelset"):
        change.merge.apply(values, apart, whole=True)
    with pytest.raises(EvaluationError, match="same labelset"):
        change.merge.apply(values, ~apart | True)


def test_layers_hold_each_target_once() -> None:
    """Rows with one target are spread over layers in their order."""
    found = [(rows.tolist(), to.tolist()) for rows, to in layers(np.array([0, 1, 0, 0]))]
    assert found == [([0, 1], [0, 1]), ([2], [0]), ([3], [0])]


def test_edges_of_windows_are_open_on_the_left() -> None:
    """Windows (start, end] of two series, found by one search."""
    times = np.array([10, 20, 30, 10, 30])
    offsets = np.array([0, 3, 5])
    ends = np.array([20, 30])
    low, high = edges(times, offsets, ends - 10, ends)
    assert low.tolist() == [[1, 2], [4, 4]]
    assert high.tolist() == [[2, 3], [4, 5]]


@given(
    st.lists(st.one_of(st.integers(0, 5).map(float), st.just(math.nan)), min_size=1, max_size=40),
    st.integers(1, 45),
    st.booleans(),
)
def test_the_best_of_many_are_those_of_a_sort(
    numbers: list[float], limit: int, largest: bool
) -> None:
    """Of equal values the earlier ones win, NaN loses, as in a full sort."""
    values = np.array(numbers)
    sign = -1 if largest else 1
    ranked = [(math.isnan(x), 0.0 if math.isnan(x) else sign * x, n) for n, x in enumerate(numbers)]
    order = [n for _, _, n in sorted(ranked)]
    grouping = grouped(
        SeriesSet([Labels({"n": str(n)}) for n in range(len(numbers))]), (), without=False
    )
    present = np.ones((len(numbers), 1), dtype=bool)
    found = best(np.array([limit]), values[:, None], present, grouping, largest=largest)
    assert set(np.flatnonzero(found[:, 0]).tolist()) == set(order[:limit])
