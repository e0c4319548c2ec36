"""What plans of one engine have in common: series, and columns of the same instant."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Values
from controlplane.promql.engine import Engine
from controlplane.promql.metrics import EngineMetrics
from controlplane.promql.options import EngineOptions
from controlplane.promql.results import Results
from controlplane.promql.values import Vector
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store

SERIES = [Labels({"__name__": "c_total", "job": f"j{n % 2}", "n": str(n)}) for n in range(4)]
NOW = 600_000
SHARED = "controlplane_query_shared_results_total"


def _store() -> Store:
    store = Store.in_memory()
    for time in range(0, NOW + 1, 15_000):
        _append(store, time, time / 1000)
    return store


def _append(store: Store, time: int, value: float) -> None:
    store.append([Write("w", time, store.refs(SERIES), value * np.arange(1.0, 5.0))])


def _values(engine: Engine, text: str, at: int = NOW) -> dict[str, float]:
    vector = engine.instant(text, at).value
    assert isinstance(vector, Vector)
    return {str(ls): value for ls, value in zip(vector.labels, vector.values.tolist(), strict=True)}


def test_parts_that_rules_have_in_common_are_computed_once() -> None:
    """A rate and a sum of it that another expression asked for are at hand."""
    registry = CollectorRegistry()
    engine = Engine(_store(), registry=registry)
    assert _values(engine, "sum by (job) (rate(c_total[5m]))") == pytest.approx(
        {'{job="j0"}': 4.0, '{job="j1"}': 6.0}
    )
    assert registry.get_sample_value(SHARED) == 0
    assert _values(engine, "sum(rate(c_total[5m])) > 1") == pytest.approx({"{}": 10.0})
    assert registry.get_sample_value(SHARED) == 1
    assert _values(engine, "sum by (job) (rate(c_total[5m])) / 2") == pytest.approx(
        {'{job="j0"}': 2.0, '{job="j1"}': 3.0}
    )
    assert registry.get_sample_value(SHARED) == 3
    held = registry.get_sample_value("controlplane_query_shared_bytes")
    assert held is not None
    assert held > 0


@pytest.mark.parametrize(
    "other", ["rate(c_total[4m])", "increase(c_total[5m])", "rate(c_total[5m] offset 1m)"]
)
def test_what_differs_is_not_shared(other: str) -> None:
    """Another window, function or offset is another result."""
    registry = CollectorRegistry()
    engine = Engine(_store(), registry=registry)
    _values(engine, "rate(c_total[5m])")
    _values(engine, other)
    assert registry.get_sample_value(SHARED) == 0


def test_a_new_sample_makes_a_new_result() -> None:
    """What was computed before a sample arrived is not shown after it, at the same instant."""
    store = _store()
    engine = Engine(store)
    at = NOW + 20_000
    before = _values(engine, "sum(increase(c_total[5m]))", at)
    _append(store, NOW + 15_000, 1e6)
    after = _values(engine, "sum(increase(c_total[5m]))", at)
    assert after["{}"] > 100 * before["{}"]
    fresh = _values(Engine(store), "sum(increase(c_total[5m]))", at)
    assert after == fresh


def test_a_new_series_joins_at_once() -> None:
    """Equal matchers find a series that came after the first evaluation."""
    store = _store()
    engine = Engine(store)
    assert _values(engine, "count(c_total)") == {"{}": 4.0}
    late = store.refs([Labels({"__name__": "c_total", "n": "late"})])
    store.append([Write("w", NOW, late, np.array([1.0]))])
    assert _values(engine, "count(c_total)") == {"{}": 5.0}
    assert _values(engine, "count(c_total) + 0") == {"{}": 5.0}


def test_equal_matchers_hold_one_set_of_series() -> None:
    """Labels and what was found out about them exist once for all plans."""
    store = _store()
    engine = Engine(store)
    querier = store.querier()
    first, second = (engine.prepare(text) for text in ("sum(c_total)", "rate(c_total[5m])"))
    left, right = (plan.selectors[0].select(querier) for plan in (first, second))
    assert left.series is right.series


def test_plans_are_forgotten_by_the_series_they_remember() -> None:
    """Beyond the bound the plan least recently used goes."""
    registry = CollectorRegistry()
    engine = Engine(_store(), EngineOptions(plan_cache_series=5), registry)
    first = engine.prepare('c_total{job="j0"}')
    for text in ('c_total{job="j0"}', "c_total", 'c_total{job="j1"}'):
        _values(engine, text)
    engine.prepare("vector(1)")
    assert registry.get_sample_value("controlplane_query_plans") == 2
    assert engine.prepare('c_total{job="j0"}') is not first


def _columns(size: int) -> tuple[Values, Mask]:
    return np.zeros((size, 1)), np.ones((size, 1), dtype=bool)


def test_kept_columns_are_bounded_in_bytes() -> None:
    """The oldest go first, and what is too large is not kept at all."""
    registry = CollectorRegistry()
    results = Results(9 * 100, EngineMetrics(registry))
    made = [results.get(key, (), None, lambda: _columns(20)) for key in range(6)]
    assert [results.holds(values) for values, _ in made] == [False] + [True] * 5
    assert registry.get_sample_value("controlplane_query_shared_bytes") == 900
    large, _ = results.get("large", (), None, lambda: _columns(26))
    assert not results.holds(large)


def test_columns_are_of_the_very_same_inputs() -> None:
    """Equal inputs are others, and so are newer samples."""
    results = Results(10_000, EngineMetrics(CollectorRegistry()))
    first, second = [1], [1]
    newest = np.array([1, 2])
    kept = results.get("k", (first,), newest, lambda: _columns(1))
    assert results.get("k", (first,), newest.copy(), lambda: _columns(1)) is kept
    assert results.get("k", (second,), newest, lambda: _columns(1)) is not kept
    assert results.get("k", (first,), newest + 1, lambda: _columns(1)) is not kept
