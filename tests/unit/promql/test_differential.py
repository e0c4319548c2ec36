"""Columns against samples one by one: the same answers, from either store."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.engine import Engine
from controlplane.promql.values import Matrix, Vector
from controlplane.tsdb.ports import Queryable, Write
from controlplane.tsdb.store import Store
from tests.support.samples import ListStore, Sample

WIDTH = 60_000
STEP = 20_000

_VALUES = st.one_of(
    st.integers(0, 50).map(float),
    st.floats(0, 1e6),
    st.just(float(STALE_NAN)),
)


@st.composite
def _samples(draw: st.DrawFn) -> list[Sample]:
    """Return samples at roughly regular times, with gaps, resets and markers."""
    count = draw(st.integers(0, 25))
    gaps = draw(st.lists(st.integers(1, 30_000), min_size=count, max_size=count))
    times = np.cumsum(gaps).tolist()
    return list(zip(times, draw(st.lists(_VALUES, min_size=count, max_size=count)), strict=True))


_STORES = st.lists(_samples(), min_size=1, max_size=6).map(
    lambda found: {
        Labels({"__name__": "c_total", "job": f"j{i % 2}", "i": str(i)}): samples
        for i, samples in enumerate(found)
    }
)


def naive_rate(samples: list[Sample], end: Timestamp) -> float | None:
    """Return rate over (end - WIDTH, end], sample by sample as upstream computes it."""
    start = end - WIDTH
    inside = [s for s in samples if start < s[0] <= end and not _is_stale(s[1])]
    if len(inside) < 2:
        return None
    growth = inside[-1][1] - inside[0][1]
    for (_, before), (_, after) in itertools.pairwise(inside):
        growth += before if after < before else 0
    sampled = (inside[-1][0] - inside[0][0]) / 1000
    average = sampled / (len(inside) - 1)
    to_start, to_end = (inside[0][0] - start) / 1000, (end - inside[-1][0]) / 1000
    if to_start >= average * 1.1:
        to_start = average / 2
    if growth > 0 and inside[0][1] >= 0:
        to_start = min(to_start, sampled * inside[0][1] / growth)
    if to_end >= average * 1.1:
        to_end = average / 2
    return growth * (sampled + to_start + to_end) / sampled / (WIDTH / 1000)


def _is_stale(value: float) -> bool:
    return math.isnan(value)


def _real_store(data: dict[Labels, list[Sample]]) -> Store:
    store = Store.in_memory()
    labels = list(data)
    refs = store.refs(labels)
    for ref, ls in zip(refs.tolist(), labels, strict=True):
        for time, value in data[ls]:
            store.append([Write("w", time, np.array([ref]), np.array([value]))])
    return store


def _answers(source: Queryable, query: str, times: list[Timestamp]) -> list[dict[Labels, float]]:
    """Return the answer at each time, asked one by one and over the range alike."""
    engine = Engine(source)
    alone = []
    for time in times:
        value = engine.instant(query, time).value
        assert isinstance(value, Vector)
        alone.append(dict(zip(value.labels, value.values.tolist(), strict=True)))
    ranged = engine.range(query, times[0], times[-1], STEP).value
    assert isinstance(ranged, Matrix)
    for step, expected in enumerate(alone):
        rows = np.flatnonzero(ranged.present[:, step])
        found = {ranged.labels[row]: float(ranged.values[row, step]) for row in rows.tolist()}
        _assert_equal(found, expected)
    return alone


def _assert_equal(found: dict[Labels, float], expected: dict[Labels, float]) -> None:
    assert set(found) == set(expected)
    for labels, value in expected.items():
        assert math.isclose(found[labels], value, rel_tol=1e-9, abs_tol=1e-9)


@given(_STORES)
@settings(max_examples=25, deadline=None)
def test_sum_of_rates(data: dict[Labels, list[Sample]]) -> None:
    """`sum by (job) (rate(...))` equals the sum of rates taken sample by sample."""
    times = list(range(0, 400_001, STEP))
    expected = []
    for time in times:
        sums: dict[Labels, list[float]] = defaultdict(list)
        for labels, samples in data.items():
            rate = naive_rate(samples, time)
            if rate is not None:
                sums[labels.keep(["job"])].append(rate)
        expected.append({labels: math.fsum(rates) for labels, rates in sums.items()})
    for source in (ListStore(data), _real_store(data)):
        query = "sum by (job) (rate(c_total[1m]))"
        for found, wanted in zip(_answers(source, query, times), expected, strict=True):
            _assert_equal(found, wanted)


def _naive_window(data: dict[Labels, list[Sample]], end: Timestamp) -> dict[Labels, list[float]]:
    windows = {}
    for labels, samples in data.items():
        inside = [v for t, v in samples if end - WIDTH < t <= end and not _is_stale(v)]
        if inside:
            windows[labels.drop("__name__")] = inside
    return windows


@given(_STORES)
@settings(max_examples=15, deadline=None)
def test_functions_of_windows(data: dict[Labels, list[Sample]]) -> None:
    """Sums, extremes and counts of windows equal those taken sample by sample."""
    times = list(range(0, 200_001, STEP))
    functions: dict[str, Callable[[list[float]], float]] = {
        "sum_over_time": math.fsum,
        "min_over_time": min,
        "max_over_time": max,
        "count_over_time": len,
        "last_over_time": lambda values: values[-1],
        "changes": lambda vs: sum(a != b for a, b in itertools.pairwise(vs)),
        "resets": lambda vs: sum(b < a for a, b in itertools.pairwise(vs)),
        "stdvar_over_time": lambda values: float(np.var(values)),
    }
    source = ListStore(data)
    for name, function in functions.items():
        found = _answers(source, f"abs({name}(c_total[1m]))", times)
        for answer, time in zip(found, times, strict=True):
            windows = _naive_window(data, time)
            expected = {labels: float(function(vs)) for labels, vs in windows.items()}
            _assert_equal(answer, expected)


@given(_STORES, st.sampled_from(["sum", "avg", "min", "max", "count", "stddev", "quantile"]))
@settings(max_examples=40, deadline=None)
def test_aggregations(data: dict[Labels, list[Sample]], op: str) -> None:
    """Aggregations of instants equal those over lists of numbers."""
    functions: dict[str, Callable[[list[float]], float]] = {
        "sum": math.fsum,
        "avg": lambda values: math.fsum(values) / len(values),
        "min": min,
        "max": max,
        "count": len,
        "stddev": lambda values: float(np.std(values)),
        "quantile": lambda values: float(np.quantile(values, 0.3)),
    }
    parameter = "0.3, " if op == "quantile" else ""
    times = list(range(0, 200_001, STEP))
    store = ListStore(data)
    found = _answers(store, f"{op} by (job) ({parameter}c_total)", times)
    for answer, time in zip(found, times, strict=True):
        groups: dict[Labels, list[float]] = defaultdict(list)
        for ref, labels in enumerate(data):
            if (sample := store.newest(ref, time, 300_000)) is not None:
                groups[labels.keep(["job"])].append(sample[1])
        expected = {labels: float(functions[op](values)) for labels, values in groups.items()}
        _assert_equal(answer, expected)
