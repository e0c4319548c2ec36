"""The store with its thread, its log and its directory."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.errors import Conflict, InvalidInput, Overloaded, Unavailable
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Refs
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

HOUR = 3_600_000
UP = Matcher("__name__", MatchOp.EQUAL, "up")


def names(count: int, metric: str = "up") -> list[Labels]:
    return [Labels({"__name__": metric, "n": str(n)}) for n in range(count)]


def write(refs: Refs, time: int, value: float = 1.0) -> Write:
    return Write("test", time, refs, np.full(len(refs), value))


class Opened:
    """A store in a directory, and its metrics."""

    def __init__(self, directory: Path, options: StoreOptions, clock: ManualClock) -> None:
        self.registry = CollectorRegistry()
        self.store = Store.open(directory, options, clock, self.registry)

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"controlplane_tsdb_{name}", labels)
        assert value is not None
        return value


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock) -> Iterator[Opened]:
    found = Opened(tmp_path, StoreOptions(), clock)
    yield found
    found.store.stop()


def test_what_was_visible_is_there_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    """A new process sees the same samples of the same series."""
    first = Opened(tmp_path, StoreOptions(), clock)
    refs = first.store.refs(names(3))
    for tick in range(40):
        first.store.append([write(refs, clock.now() + tick * 1000, float(tick))])
    assert first.store.flush()
    before = first.store.querier().window(refs, 0, clock.now() + HOUR)
    first.store.stop()
    second = Opened(tmp_path, StoreOptions(), clock)
    after = second.store.querier().window(second.store.refs(names(3)), 0, clock.now() + HOUR)
    assert after.times.tolist() == before.times.tolist()
    assert after.values.tolist() == before.values.tolist()
    assert second.metric("wal_replayed_samples_total") == 120
    second.store.stop()


def test_a_second_process_is_told_who_holds_the_directory(
    tmp_path: Path, opened: Opened, clock: ManualClock
) -> None:
    """The error names the directory and the process; the holder is not disturbed."""
    with pytest.raises(Conflict, match=rf"{tmp_path} is in use by process \d+"):
        Store.open(tmp_path, StoreOptions(), clock, CollectorRegistry())
    opened.store.append([write(opened.store.refs(names(1)), clock.now())])
    assert opened.store.flush()
    opened.store.stop()
    Store.open(tmp_path, StoreOptions(), clock, CollectorRegistry()).stop()


def test_a_directory_that_cannot_be_is_a_clear_error(tmp_path: Path, clock: ManualClock) -> None:
    """A file in its place is named, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"data directory .*file cannot be used"):
        Store.open(tmp_path / "file", StoreOptions(), clock, CollectorRegistry())


def test_rejections_are_counted_by_reason(opened: Opened, clock: ManualClock) -> None:
    """Each refused sample has one reason; the same sample again has none."""
    now = clock.now()
    store, refs = opened.store, opened.store.refs(names(1))
    gone = np.array([77], dtype=np.int64)
    limited = np.array([-1], dtype=np.int64)
    store.append([write(refs, now), write(refs, now), write(refs, now, 2.0), write(refs, now - 1)])
    store.append([write(refs, now - 16 * 24 * HOUR), write(refs, 2**50)])
    store.append([write(gone, now), write(limited, now)])
    assert store.flush()
    for reason in (
        "duplicate",
        "out_of_order",
        "too_old",
        "out_of_bounds",
        "unknown_series",
        "series_limit",
    ):
        assert opened.metric("samples_rejected_total", reason=reason) == 1, reason
    assert opened.metric("samples_appended_total") == 1


def test_columns_that_do_not_fit_are_refused_at_once(opened: Opened) -> None:
    """One bad write is its caller's error and does not reach the writer."""
    refs = opened.store.refs(names(2))
    with pytest.raises(InvalidInput, match="2 series, 1 values"):
        opened.store.append([Write("x", 0, refs, np.zeros(1))])
    with pytest.raises(InvalidInput, match="2 series, 3 times"):
        opened.store.append([Write("x", np.zeros(3, dtype=np.int64), refs, np.zeros(2))])


def test_a_full_queue_takes_nothing_of_a_call(tmp_path: Path, clock: ManualClock) -> None:
    """Over the bound all of a call's writes are refused, and there is room again later."""
    opened = Opened(tmp_path, StoreOptions(queue_samples=10), clock)
    store, release, busy = opened.store, threading.Event(), threading.Event()

    def hold(writes: Sequence[Write]) -> None:
        busy.set()
        release.wait(10)

    store.subscribe(hold)
    refs = store.refs(names(6))
    store.append([write(refs, clock.now())])
    assert busy.wait(10)
    store.append([write(refs, clock.now() + 1)])
    with pytest.raises(Overloaded):
        store.append([write(refs, clock.now() + 2)])
    release.set()
    assert store.flush()
    store.append([write(refs, clock.now() + 3)])
    assert store.flush()
    assert opened.metric("appends_overloaded_total") == 1
    assert opened.metric("samples_appended_total") == 18
    store.stop()


def test_listeners_hear_of_what_is_visible(opened: Opened, clock: ManualClock) -> None:
    """A listener that asks the store sees the write; one that fails stops nobody."""
    heard: list[tuple[str, bool]] = []
    refs = opened.store.refs(names(1))

    def broken(writes: Sequence[Write]) -> None:
        raise ValueError("listener")

    def listener(writes: Sequence[Write]) -> None:
        now = np.array([clock.now()], dtype=np.int64)
        seen = opened.store.querier().instants(refs, now, HOUR)
        heard.extend((each.correlation_id, bool(seen.present[0, 0])) for each in writes)

    opened.store.subscribe(broken)
    opened.store.subscribe(listener)
    opened.store.append([Write("o", clock.now(), refs, np.ones(1), correlation_id="tick-7")])
    assert opened.store.flush()
    assert heard == [("tick-7", True)]
    assert opened.metric("listener_failures_total") == 1
    assert opened.store.healthy().ok


def test_a_closed_store_says_so(opened: Opened, clock: ManualClock) -> None:
    """After close appends are refused, reads still work, health tells."""
    refs = opened.store.refs(names(1))
    opened.store.append([write(refs, clock.now())])
    asyncio.run(opened.store.close())
    with pytest.raises(Unavailable):
        opened.store.append([write(refs, clock.now() + 1)])
    now = np.array([clock.now()], dtype=np.int64)
    assert opened.store.querier().instants(refs, now, HOUR).present.all()
    assert not opened.store.healthy().ok


def test_series_end_with_their_last_sample(clock: ManualClock) -> None:
    """Past the retention a series goes, the epoch changes, its number stays unusable."""
    registry = CollectorRegistry()
    store = Store.in_memory(StoreOptions(retention=HOUR), clock=clock, registry=registry)
    both = store.refs(names(2))
    start = clock.now()
    for tick in range(20):
        store.append([write(both, start + tick * 1000)])
    old_snapshot, epoch = store.querier(), store.epoch
    clock.set(start + HOUR + 30_000)
    store.append([write(both[:1], clock.now())])
    store.maintain()
    assert store.epoch != epoch
    assert store.querier().select([UP]).tolist() == both[:1].tolist()
    assert store.querier().generation != old_snapshot.generation
    assert old_snapshot.select([UP]).tolist() == both.tolist()
    assert len(old_snapshot.window(both, 0, clock.now()).times) == 40
    store.append([write(both, clock.now() + 1000)])
    unknown = registry.get_sample_value(
        "controlplane_tsdb_samples_rejected_total", {"reason": "unknown_series"}
    )
    assert unknown == 1
    again = store.refs(names(2))
    assert again[0] == both[0]
    assert again[1] not in both.tolist()


def test_series_without_samples_are_kept_while_somebody_asks(clock: ManualClock) -> None:
    """Who has just resolved a series may still be about to write into it."""
    store = Store.in_memory(StoreOptions(retention=HOUR), clock=clock)
    store.refs(names(2))
    clock.set(clock.now() + 2 * HOUR)
    store.refs(names(1))
    store.maintain()
    assert store.querier().select([UP]).tolist() == [0]


def test_columns_of_ended_series_are_used_again_without_mixing(clock: ManualClock) -> None:
    """A new series in an old one's column shows neither reader the other's samples."""
    store = Store.in_memory(StoreOptions(retention=HOUR), clock=clock)
    kept: list[tuple[Refs, int]] = []
    for generation in range(4):
        refs = store.refs(names(30, f"m{generation}"))
        begin = clock.now()
        for tick in range(300):
            store.append([write(refs, begin + tick * 10_000 + generation, float(generation))])
        clock.set(begin + 300 * 10_000)
        kept.append((refs, begin))
        snapshot = store.querier()
        window = snapshot.window(refs, begin - HOUR, clock.now())
        assert set(window.values.tolist()) == {float(generation)}
        assert np.diff(window.offsets).tolist() == [300] * 30
        course = snapshot.counters(refs, np.array([clock.now()]), 2 * HOUR)
        assert course.count.tolist() == [[300]] * 30
        clock.set(clock.now() + HOUR + 60_000)
        store.maintain()
        old = snapshot.window(refs, begin - HOUR, clock.now())
        assert old.values.tolist() == window.values.tolist()


def test_a_gauge_is_counted_sample_by_sample() -> None:
    """Values that fall all the time give the same resets as a plain sum."""
    store = Store.in_memory()
    refs = store.refs(names(2))
    random = np.random.default_rng(3)
    values = random.integers(0, 100, (300, 2)).astype(float)
    values[:, 1] = np.arange(300)
    for tick in range(300):
        store.append([Write("o", tick * 1000, refs, values[tick])])
    course = store.querier().counters(refs, np.array([299_000, 150_000]), 100_000)
    for step, last in enumerate((299, 150)):
        gauge = values[last - 99 : last + 1, 0]
        lost = gauge[:-1][np.diff(gauge) < 0].sum()
        assert course.resets[0, step] == pytest.approx(lost)
        assert course.resets[1, step] == 0
        assert course.count[:, step].tolist() == [100, 100]


def test_a_series_asked_for_twice_is_answered_twice() -> None:
    """Series may stand in any order, also repeated."""
    store = Store.in_memory()
    refs = store.refs(names(3))
    for tick in range(30):
        store.append([Write("o", tick * 1000, refs, np.array([1.0, 2.0, 3.0]) * tick)])
    wanted = refs[[2, 0, 2]]
    querier, end = store.querier(), np.array([29_000])
    assert querier.instants(wanted, end, 5000).values[:, 0].tolist() == [87.0, 29.0, 87.0]
    assert querier.counters(wanted, end, 5000).last[:, 0].tolist() == [87.0, 29.0, 87.0]
    assert querier.window(wanted, 28_000, 29_000).values.tolist() == [87.0, 29.0, 87.0]


def test_nothing_asked_is_nothing_answered() -> None:
    """No series and no instants are no error."""
    querier = Store.in_memory().querier()
    none = np.empty(0, dtype=np.int64)
    assert querier.instants(none, np.array([1]), 5).values.shape == (0, 1)
    assert querier.counters(none, np.array([1]), 5).count.shape == (0, 1)
    assert querier.window(none, 0, 1).offsets.tolist() == [0]
    assert querier.select([UP]).tolist() == []


def test_readers_never_see_half_a_write() -> None:
    """While one thread writes, snapshots are whole, stand still, and only move forward."""
    clock = SystemClock()
    store = Store.in_memory(clock=clock)
    refs = store.refs(names(500))
    start, done = 1_700_000_000_000, threading.Event()
    failures: list[str] = []

    def reader() -> None:
        newest = -1.0
        while not done.is_set() and not failures:
            newest = look(newest)

    def look(newest: float) -> float:
        querier = store.querier()
        end = np.array([start + HOUR])
        last = querier.instants(refs, end, 2 * HOUR)
        seen = np.unique(last.values[last.present])
        if len(seen) > 1 or (last.present.any() and not last.present.all()):
            failures.append(f"half a write: {seen}")
            return newest
        if not len(seen):
            return newest
        if seen[0] < newest:
            failures.append("went back")
        count = int(seen[0]) + 1
        window = querier.window(refs, start - 1, start + HOUR)
        course = querier.counters(refs, end, 2 * HOUR)
        if set(np.diff(window.offsets).tolist()) != {count} or (course.count != count).any():
            failures.append("a snapshot that moves")
        return float(seen[0])

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(reader) for _ in range(3)]
        for tick in range(400):
            store.append([write(refs, start + tick * 1000, float(tick))])
        done.set()
        for finished in readers:
            finished.result()
    assert failures == []


def test_many_threads_append(opened: Opened, clock: ManualClock) -> None:
    """Every write of every thread is there, in its order."""

    def work(number: int) -> None:
        refs = opened.store.refs(names(5, f"thread{number}"))
        for tick in range(100):
            opened.store.append([write(refs, clock.now() + tick * 100, float(tick))])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened.store.flush()
    querier = opened.store.querier()
    refs = querier.select([])
    assert len(refs) == 20
    window = querier.window(refs, 0, clock.now() + HOUR)
    assert window.values.reshape(20, 100).tolist() == [list(map(float, range(100)))] * 20


def test_a_changed_interval_keeps_the_history(clock: ManualClock) -> None:
    """Series that leave a slab keep every sample, for the snapshots before and after."""
    registry = CollectorRegistry()
    store = Store.in_memory(StoreOptions(retention=HOUR), clock=clock, registry=registry)
    refs, start = store.refs(names(40)), clock.now()
    times = [start + tick * 15_000 for tick in range(100)]
    times += [times[-1] + tick * 5_000 for tick in range(1, 100)]
    times += [times[-1] + tick * 15_000 for tick in range(1, 30)]
    snapshots = []
    for tick, time in enumerate(times):
        store.append([write(refs, time, float(tick))])
        if tick % 19 == 0:
            snapshots.append((tick, store.querier()))
    moves = registry.get_sample_value("controlplane_tsdb_series_moves_total", {"to": "ragged"})
    assert moves
    for tick, querier in snapshots:
        window = querier.window(refs, start - 1, times[-1])
        assert window.times.tolist() == times[: tick + 1] * 40
        course = querier.counters(refs[:1], np.array([times[-1]]), 2 * HOUR)
        assert (course.count[0, 0], course.last[0, 0]) == (tick + 1, tick)
        past = querier.instants(refs[:1], np.array(times[:tick]), 1000)
        assert past.times[0].tolist() == times[:tick]
    clock.set(times[-1] + HOUR - 1)
    store.maintain()
    assert store.querier().window(refs, start - 1, times[-1]).times.max() == times[-1]
