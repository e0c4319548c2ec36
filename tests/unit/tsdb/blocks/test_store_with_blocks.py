"""A store that cuts blocks at any moment answers as if all were in memory."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Querier, Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock
from tests.unit.tsdb.model import NaiveStore, bits
from tests.unit.tsdb.test_store_model import SERIES, Event, histories, interesting, pairs

LABELS = [Labels({"__name__": f"m{n % 2}", "n": str(n)}) for n in range(SERIES)]
# The keeper's own thread never runs; the test says when.
QUIET = 86_400_000_000
# How long may pass before blocks are worked on: late samples wait half an hour.
WAITS = st.sampled_from([0, 0, 1_900_000])


def options(block_range: int) -> StoreOptions:
    return StoreOptions(
        retention=0,
        head_window=2 * block_range,
        block_range=block_range,
        maintenance_interval=QUIET,
        commit_interval=0,
    )


class Run:
    """A store on disk and the lists that it is compared with."""

    def __init__(self, directory: Path, block_range: int) -> None:
        self.directory = directory
        self.options = options(block_range)
        self.clock = ManualClock(1)
        self.model = NaiveStore()
        self.store = self.opened()

    def opened(self) -> Store:
        return Store.open(self.directory, self.options, self.clock, CollectorRegistry())

    def append(self, batch: list[Event]) -> None:
        """Give the batch to both, and move the clock to its newest sample."""
        refs = self.store.refs(LABELS)
        times = np.array([time for _, time, _ in batch], dtype=np.int64)
        values = np.array([value for _, _, value in batch])
        self.store.append([Write("test", times, refs[[ref for ref, _, _ in batch]], values)])
        assert self.store.flush()
        for ref, time, value in batch:
            self.model.append(ref, time, value)
        ahead = int(times.max()) - self.clock.now()
        if ahead > 0:
            self.clock.set(self.clock.now() + ahead)

    def maintain(self) -> None:
        """Work on blocks; the series stay in use, so memory knows their newest samples."""
        self.store.refs(LABELS)
        self.store.maintain()

    def check(self) -> None:
        """Compare windows, instants and counters with those of the lists."""
        whole = self.store.querier().reaching(-(2**46))
        refs = found(whole)
        check_windows(self.store, self.model)
        times = np.array(interesting(self.model), dtype=np.int64)
        for lookback in (1, 40_000, 10_000_000):
            got = whole.instants(refs, times, lookback)
            for ref in range(SERIES):
                for step, time in enumerate(times.tolist()):
                    want = self.model.instant(ref, time, lookback)
                    assert bool(got.present[ref, step]) == (want is not None)
                    if want is not None:
                        assert got.times[ref, step] == want[0]
                        assert bits(got.values[ref, step]) == bits(want[1])
            course = whole.counters(refs, times, lookback)
            for ref in range(SERIES):
                for step, time in enumerate(times.tolist()):
                    samples = self.model.window(ref, time - lookback, time)
                    assert course.count[ref, step] == len(samples)
                    if samples:
                        assert course.first_times[ref, step] == samples[0][0]
                        assert bits(course.last[ref, step]) == bits(samples[-1][1])
                        resets = self.model.resets(ref, time - lookback, time)
                        assert np.isclose(course.resets[ref, step], resets, rtol=1e-12, atol=0)


def found(querier: Querier) -> Refs:
    """Return the numbers of the test's series in their order."""
    refs = querier.select([])
    known = dict(zip(querier.labels(refs), refs.tolist(), strict=True))
    assert sorted(known) == sorted(LABELS)
    return np.array([known[labels] for labels in LABELS], dtype=np.int64)


def check_windows(store: Store, model: NaiveStore) -> None:
    """Compare windows, each read by the querier that reaches just far enough."""
    for start, end in pairs(interesting(model)):
        querier = store.querier().reaching(start)
        refs = querier.select([])
        window = querier.window(refs, start, end)
        got = {
            labels: list(
                zip(
                    window.times[low:high].tolist(),
                    map(bits, window.values[low:high].tolist()),
                    strict=True,
                )
            )
            for labels, low, high in zip(
                querier.labels(refs), window.offsets[:-1], window.offsets[1:], strict=True
            )
            if high > low
        }
        want = {
            labels: [(time, bits(value)) for time, value in samples]
            for ref, labels in enumerate(LABELS)
            if (samples := model.window(ref, start, end))
        }
        assert got == want


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(histories(), st.data())
def test_answers_do_not_depend_on_what_is_in_blocks(
    batches: list[list[Event]], data: st.DataObject
) -> None:
    """Blocks are cut at random points, late samples come in between, a restart ends it."""
    block_range = data.draw(st.sampled_from([60_000, 600_000, 7_200_000]))
    with tempfile.TemporaryDirectory() as directory:
        run = Run(Path(directory), block_range)
        try:
            for batch in batches:
                run.append(batch)
                if data.draw(st.booleans()):
                    run.clock.set(run.clock.now() + data.draw(WAITS))
                    run.maintain()
            run.check()
            run.maintain()
            run.check()
            run.store.stop()
            run.store = run.opened()
            run.check()
        finally:
            run.store.stop()
