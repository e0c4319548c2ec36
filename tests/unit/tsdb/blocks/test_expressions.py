"""Expressions over blocks and memory give what they give over memory alone."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.promql.engine import Engine
from controlplane.promql.values import Matrix
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

HOUR = 3_600_000
STEP = 60_000
START = 472_222 * HOUR
HOURS = 9
LABELS = [Labels({"__name__": "requests_total", "n": str(n)}) for n in range(6)]


def fill(store: Store) -> None:
    """Write counters with resets and gaps; two of the series end, or begin, in between."""
    random = np.random.default_rng(7)
    total = HOURS * HOUR // STEP
    counters = random.integers(0, 50, (len(LABELS), total)).cumsum(axis=1).astype(np.float64)
    counters[:, total // 3 :] -= counters[:, total // 3][:, None]
    heard = random.random((len(LABELS), total)) > 0.02
    heard[4, : total // 2], heard[5, total // 2 :] = False, False
    refs = store.refs(LABELS)
    for tick in range(total):
        here = heard[:, tick]
        store.append([Write("t", START + tick * STEP, refs[here], counters[here, tick])])
    assert store.flush()


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Engine]:
    """Return an engine over a store that has cut its blocks, and one over memory."""
    clock = ManualClock(START)
    memory = Store.in_memory(StoreOptions(retention=0), clock=clock)
    fill(memory)
    options = StoreOptions(retention=0, maintenance_interval=10**9)
    blocks = Store.open(tmp_path_factory.mktemp("store"), options, clock, CollectorRegistry())
    fill(blocks)
    clock.set(START + HOURS * HOUR)
    blocks.maintain()
    blocks.stop()
    return Engine(blocks), Engine(memory)


@pytest.mark.parametrize(
    "expression",
    [
        "requests_total",
        'requests_total{n="5"}',
        "sum(rate(requests_total[10m]))",
        "increase(requests_total[3h])",
        "avg_over_time(requests_total[45m])",
        "requests_total - requests_total offset 4h",
        "max_over_time(rate(requests_total[5m])[2h:10m])",
        "absent(requests_total)",
        f"count by (n) (requests_total @ {(START + HOUR) // 1000})",
        "changes(requests_total[1h]) > resets(requests_total[8h])",
        "quantile_over_time(0.9, requests_total[20m])",
        "label_replace(last_over_time(requests_total[9h]), 'm', '$1', 'n', '(.*)')",
    ],
)
@pytest.mark.parametrize("span", [(0, HOURS), (1, 3), (5, 9), (8, 9)])
def test_a_range_query_does_not_see_where_samples_are(
    engines: tuple[Engine, Engine], expression: str, span: tuple[int, int]
) -> None:
    """The same series with the same values, before, over and after the head's beginning."""
    start, end = START + span[0] * HOUR, START + span[1] * HOUR
    found = [engine.range(expression, start, end, 7 * STEP) for engine in engines]
    rows = [rows_of(result.value) for result in found]
    assert rows[0].keys() == rows[1].keys()
    for labels, (times, values) in rows[0].items():
        assert times.tolist() == rows[1][labels][0].tolist()
        assert np.allclose(values, rows[1][labels][1], rtol=1e-12, equal_nan=True)


def rows_of(found: object) -> dict[Labels, tuple[np.ndarray, np.ndarray]]:
    """Return instants and values of each series that has any."""
    assert isinstance(found, Matrix)
    return {
        labels: (found.times[present], found.values[row][present])
        for row, (labels, present) in enumerate(zip(found.labels, found.present, strict=True))
        if present.any()
    }
