"""The store against a dictionary of lists, over series that come in all ways."""

from collections.abc import Iterator

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN, Refs, Times
from controlplane.tsdb.lattice import Lattice
from controlplane.tsdb.ports import Write
from controlplane.tsdb.snapshot import Snapshot
from controlplane.tsdb.store import Store
from tests.unit.tsdb.model import NaiveStore, bits

SERIES = 6
Event = tuple[int, int, float]


def steps(interval: int) -> st.SearchStrategy[int]:
    """How far the next sample is from the one before: mostly one interval, with jitter."""
    jitter = st.integers(-interval // 3, interval // 3)
    return st.one_of(
        st.just(interval),
        st.just(interval),
        jitter.map(lambda j: interval + j),
        st.integers(2, 7).map(lambda n: n * interval),
        st.integers(-2 * interval, interval),
        st.sampled_from([150 * interval, 300 * interval]),
    )


VALUES = st.one_of(
    st.integers(0, 20).map(float),
    st.integers(0, 20).map(float),
    st.sampled_from([STALE_NAN, float("nan"), float("inf"), -0.0, 1e300]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Event]]:
    """Batches of (series, time, value) in their order."""
    interval = draw(st.sampled_from([1000, 15_000, 37]))
    clocks = [draw(st.integers(0, 3 * interval)) - interval for _ in range(SERIES)]
    counters = [0.0] * SERIES
    batches = []
    for _ in range(draw(st.integers(1, 25))):
        batch: list[Event] = []
        for _ in range(draw(st.sampled_from([1, 1, 1, 5, 30]))):
            odd = draw(st.integers(0, SERIES)) if draw(st.booleans()) else None
            for ref in range(SERIES):
                clocks[ref] += draw(steps(interval)) if ref == odd else interval
                counters[ref] += ref
                value = draw(VALUES) if ref == odd else counters[ref]
                batch.append((ref, clocks[ref], float(value)))
        batches.append(batch)
    return batches


def filled(batches: list[list[Event]]) -> tuple[Store, NaiveStore, CollectorRegistry]:
    """Put the same history into both stores, each batch as one write."""
    registry = CollectorRegistry()
    store, model = Store.in_memory(registry=registry), NaiveStore()
    refs = store.refs([Labels({"__name__": "m", "n": str(n)}) for n in range(SERIES)])
    for batch in batches:
        write = Write(
            "test",
            np.array([time for _, time, _ in batch], dtype=np.int64),
            refs[[ref for ref, _, _ in batch]],
            np.array([value for _, _, value in batch]),
        )
        store.append([write])
        for ref, time, value in batch:
            model.append(ref, time, value)
    return store, model, registry


def interesting(model: NaiveStore) -> list[int]:
    """Return instants on, just before and just after samples."""
    times = sorted({time for series in model.samples.values() for time, _ in series})
    picked = times[:: max(1, len(times) // 8)] + times[-2:]
    return [time + shift for time in picked for shift in (-1, 0, 1)]


def pairs(times: list[int]) -> Iterator[tuple[int, int]]:
    """Return some windows between the instants, also empty ones."""
    for place, start in enumerate(times):
        for end in (times[place], times[(place * 7 + 3) % len(times)], times[-1]):
            yield start, end


def check_windows(querier: Snapshot, model: NaiveStore, refs: Refs) -> None:
    for start, end in pairs(interesting(model)):
        window = querier.window(refs, start, end)
        for place, ref in enumerate(refs.tolist()):
            run = slice(window.offsets[place], window.offsets[place + 1])
            got = list(zip(window.times[run].tolist(), window.values[run].tolist(), strict=True))
            want = model.window(ref, start, end)
            assert [(t, bits(v)) for t, v in got] == [(t, bits(v)) for t, v in want]


def check_instants(querier: Snapshot, model: NaiveStore, refs: Refs) -> None:
    times = np.array(interesting(model), dtype=np.int64)
    for lookback in (1, 40_000, 10_000_000):
        found = querier.instants(refs, times, lookback)
        for place, ref in enumerate(refs.tolist()):
            for step, time in enumerate(times.tolist()):
                want = model.instant(ref, time, lookback)
                assert bool(found.present[place, step]) == (want is not None)
                if want is not None:
                    assert found.times[place, step] == want[0]
                    assert bits(found.values[place, step]) == bits(want[1])


def check_counters(querier: Snapshot, model: NaiveStore, refs: Refs) -> None:
    ends = np.array(interesting(model), dtype=np.int64)
    for width in (1, 60_000, 3_000_000):
        course = querier.counters(refs, ends, width)
        for place, ref in enumerate(refs.tolist()):
            for step, end in enumerate(ends.tolist()):
                want = model.window(ref, end - width, end)
                assert course.count[place, step] == len(want)
                if not want:
                    continue
                first = (course.first_times[place, step], bits(course.first[place, step]))
                last = (course.last_times[place, step], bits(course.last[place, step]))
                assert first == (want[0][0], bits(want[0][1]))
                assert last == (want[-1][0], bits(want[-1][1]))
                resets = model.resets(ref, end - width, end)
                assert np.isclose(course.resets[place, step], resets, rtol=1e-12, atol=0)


def check_lattices(querier: Snapshot, model: NaiveStore, refs: Refs) -> int:
    """Compare the windows of what is regular; return how many windows that were."""
    ends = np.array(sorted(interesting(model)), dtype=np.int64)
    compared = 0
    for width in (1, 60_000, 700_000):
        for some in (ends, ends[len(ends) // 2 :], ends[-1:], ends[:0]):
            for places, lattice in querier.lattices(refs, some, width):
                _check_lattice(lattice, model, refs[places], some, width)
                compared += lattice.low.size
    return compared


def _check_lattice(
    lattice: Lattice, model: NaiveStore, refs: Refs, ends: Times, width: int
) -> None:
    counts, firsts, lasts = lattice.counts(), lattice.firsts(), lattice.lasts()
    for step, end in enumerate(ends.tolist()):
        found: list[list[tuple[int, int]]] = [[] for _ in refs]
        for row, there in lattice.rows(step):
            times = lattice.times(row)
            for place in range(len(refs)):
                if there is None or there[place]:
                    value = bits(lattice.values[row, place])
                    found[place].append((int(times[place]), value))
        for place, ref in enumerate(refs.tolist()):
            want = [(t, bits(v)) for t, v in model.window(ref, end - width, end)]
            assert found[place] == want
            assert counts[step, place] == len(want)
            for rows, edge in ((firsts, 0), (lasts, -1)):
                if want:
                    at = int(lattice.times(int(rows[step, place]))[place])
                    assert at == want[edge][0]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_answers_are_those_of_a_list_of_samples(batches: list[list[Event]]) -> None:
    """Instants, windows and counters agree with a plain list, whatever the series did."""
    store, model, registry = filled(batches)
    querier = store.querier()
    refs = np.arange(SERIES, dtype=np.int64)
    check_windows(querier, model, refs)
    check_instants(querier, model, refs)
    check_counters(querier, model, refs)
    check_lattices(querier, model, refs)
    for reason in ("out_of_order", "duplicate"):
        counted = registry.get_sample_value(
            "controlplane_tsdb_samples_rejected_total", {"reason": reason}
        )
        assert counted == model.rejected.get(reason, 0)


def test_regular_series_are_read_as_a_lattice() -> None:
    """Series of one interval, with jitter, holes and markers, are all in it."""
    random = np.random.default_rng(7)
    batches = []
    for tick in range(300):
        batch = []
        for ref in range(SERIES):
            jitter = int(random.integers(-200, 201))
            value = float(STALE_NAN) if random.random() < 0.01 else float(tick)
            if tick < 5 or random.random() > 0.02:
                batch.append((ref, tick * 15_000 + ref * 2500 + jitter, value))
        batches.append(batch)
    store, model, _ = filled(batches)
    refs = np.arange(SERIES, dtype=np.int64)
    windows = check_lattices(store.querier(), model, refs)
    assert windows > 200
    late = np.array([299 * 15_000])
    ((places, _),) = store.querier().lattices(refs, late, 600_000)
    assert places.tolist() == refs.tolist()
