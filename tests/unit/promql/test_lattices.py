"""Functions of windows over a lattice give what they give sample by sample."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.engine import Engine
from controlplane.promql.functions.lattices import OF_LATTICE
from controlplane.promql.values import Matrix
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.samples import ListStore, Sample

INTERVAL = 15_000
TICKS = 60
# By then a store has seen that the series are regular.
SETTLED = 20 * INTERVAL

ODD = st.sampled_from([float(STALE_NAN), float("nan"), float("inf"), -float("inf"), 1e300, -0.0])
VALUES = st.one_of(st.integers(0, 5).map(float), st.floats(-1e9, 1e9), ODD)
FUNCTIONS = [
    "avg_over_time(m[%s])",
    "changes(m[%s])",
    "count_over_time(m[%s])",
    "deriv(m[%s])",
    "max_over_time(m[%s])",
    "min_over_time(m[%s])",
    "predict_linear(m[%s], 600)",
    "predict_linear(m[%s], time() - 500)",
    "present_over_time(m[%s])",
    "resets(m[%s])",
    "stddev_over_time(m[%s])",
    "stdvar_over_time(m[%s])",
    "sum_over_time(m[%s])",
]


@st.composite
def series(draw: st.DrawFn) -> list[Sample]:
    """Return ticks with a phase, jitter, holes, and values of a few kinds."""
    phase = draw(st.integers(0, INTERVAL - 1))
    jitter = draw(st.sampled_from([0, 0, 30, 5000]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    drawn = draw(st.lists(VALUES, min_size=1, max_size=8))
    constant = draw(st.booleans())
    samples = []
    for tick in range(TICKS):
        if tick * INTERVAL > SETTLED and random.random() < 0.1:
            continue
        at = tick * INTERVAL + phase + int(random.integers(-jitter, jitter + 1))
        settled = tick * INTERVAL > SETTLED
        value = drawn[0] if constant else drawn[int(random.integers(len(drawn)))]
        samples.append((at, value if settled else float(tick)))
    return samples


def _stores(data: list[list[Sample]]) -> tuple[Store, ListStore]:
    labels = [Labels({"__name__": "m", "n": str(n)}) for n in range(len(data))]
    store = Store.in_memory()
    refs = store.refs(labels)
    flat = sorted((at, n, value) for n, samples in enumerate(data) for at, value in samples)
    for at, n, value in flat:
        store.append([Write("w", at, refs[[n]], np.array([value]))])
    return store, ListStore(dict(zip(labels, data, strict=True)))


def _answer(engine: Engine, text: str, start: int, step: int) -> Matrix:
    value = engine.range(text, start, start + 7 * step, step).value
    assert isinstance(value, Matrix)
    return value


@settings(max_examples=40, deadline=None)
@given(
    st.lists(series(), min_size=1, max_size=4),
    st.integers(0, 20_000),
    st.sampled_from([INTERVAL, 7000, 100_000]),
    st.sampled_from(["1m", "4m", "31s"]),
)
def test_a_lattice_gives_what_lists_give(
    data: list[list[Sample]], shift: int, step: int, width: str
) -> None:
    """Holes, markers, jitter and numbers of all kinds make no difference."""
    store, lists = _stores(data)
    fast, plain = Engine(store), Engine(lists)
    start = 35 * INTERVAL + shift
    for function in FUNCTIONS:
        text = function % width
        found, wanted = (_answer(engine, text, start, step) for engine in (fast, plain))
        assert list(found.labels) == list(wanted.labels), text
        assert np.array_equal(found.present, wanted.present), text
        # What rounding leaves of a line through huge values is noise.
        scale = 1e-9 * max((abs(v) for s in data for _, v in s if abs(v) < 1e10), default=0)
        here = wanted.present & ~(np.abs(wanted.values) > 1e280)
        np.testing.assert_allclose(
            found.values[here], wanted.values[here], rtol=1e-9, atol=scale, err_msg=text
        )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(series(), min_size=1, max_size=3),
    st.integers(0, 20_000),
    st.sampled_from(["1m", "4m", "31s"]),
)
def test_rates_over_a_lattice_are_those_of_lists(
    data: list[list[Sample]], shift: int, width: str
) -> None:
    """Resets, holes and markers count as they do sample by sample."""
    store, lists = _stores(data)
    fast, plain = Engine(store), Engine(lists)
    for function in ("rate", "increase", "delta"):
        text = f"{function}(m[{width}])"
        found, wanted = (
            _answer(engine, text, 35 * INTERVAL + shift, INTERVAL) for engine in (fast, plain)
        )
        assert np.array_equal(found.present, wanted.present), text
        here = wanted.present & ~(np.abs(wanted.values) > 1e280)
        np.testing.assert_allclose(
            found.values[here], wanted.values[here], rtol=1e-9, atol=1e-6, err_msg=text
        )


def test_every_function_of_a_lattice_is_compared() -> None:
    """Whoever adds one adds it to the comparison."""
    compared = {function.partition("(")[0] for function in FUNCTIONS}
    assert len(compared) == len(OF_LATTICE)


@pytest.mark.parametrize("function", ["sum_over_time", "avg_over_time"])
def test_sums_over_a_lattice_are_compensated(function: str) -> None:
    """`1e100 + 1 - 1e100` loses nothing, in regular series as in others."""
    samples = [(tick * INTERVAL, float(tick)) for tick in range(TICKS)]
    samples[-3:] = [
        (at, value) for (at, _), value in zip(samples[-3:], (1e100, 6.0, -1e100), strict=True)
    ]
    store, _ = _stores([samples])
    assert store.querier().lattices(store.querier().select([]), np.array([900_000]), 60_000)
    value = _answer(Engine(store), f"{function}(m[45s])", (TICKS - 1) * INTERVAL, INTERVAL).values
    assert value[0, 0] == (6.0 if function == "sum_over_time" else 2.0)


def test_a_mean_does_not_overflow_in_a_lattice() -> None:
    """Where the sum is no number any more the mean still is one."""
    samples = [(tick * INTERVAL, float(tick)) for tick in range(TICKS)]
    samples[-3:] = [(at, 1.6e308) for at, _ in samples[-3:]]
    store, _ = _stores([samples])
    value = _answer(Engine(store), "avg_over_time(m[45s])", (TICKS - 1) * INTERVAL, INTERVAL).values
    assert value[0, 0] == pytest.approx(1.6e308)


@pytest.mark.parametrize("function", ["deriv(m[1m])", "predict_linear(m[1m], 60)"])
def test_there_is_no_line_through_infinity(function: str) -> None:
    """One infinite value leaves no slope, wherever in the window it stands."""
    samples = [(tick * INTERVAL + 20 * (tick % 2), float(tick)) for tick in range(TICKS)]
    samples[-4:] = [(at, math.inf if n == 0 else 0.0) for n, (at, _) in enumerate(samples[-4:])]
    store, _ = _stores([samples])
    assert store.querier().lattices(store.querier().select([]), np.array([900_000]), 60_000)
    values = _answer(Engine(store), function, (TICKS - 1) * INTERVAL + 20, INTERVAL).values
    assert np.isnan(values[0, 0])
