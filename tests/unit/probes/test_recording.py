"""From outcomes to writes: the short way of a steady probe writes what the long one does."""

from collections.abc import Sequence

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, is_stale
from controlplane.probes.metrics import ProbeMetrics
from controlplane.probes.outcome import Evidence, Outcome, ProbeSample, Reason, outcome_of
from controlplane.probes.recording import Recorder, writes_of
from controlplane.tsdb.ports import Write

GOOD = outcome_of([ProbeSample("probe_x", 1.0)], 0.25)
WIDER = outcome_of([ProbeSample("probe_x", 1.0), ProbeSample("probe_y", 2.0)], 0.25)
BAD = outcome_of([ProbeSample("probe_x", 0.0)], 0.5, Reason.STATUS, Evidence("status 500"))


class Numbering:
    """An Appender that numbers series, anew in each epoch."""

    def __init__(self) -> None:
        self.epoch = 0
        self.series: list[Labels] = []
        self.asked = 0
        self.last_asked: list[str] = []

    def renumber(self) -> None:
        self.epoch += 1
        self.series = [Labels({"__name__": "another"})]

    def refs(self, series: Sequence[Labels]) -> Refs:
        self.asked += 1
        self.last_asked = [labels.name for labels in series]
        self.series += [labels for labels in series if labels not in self.series]
        return np.array([self.series.index(labels) for labels in series], dtype=np.int64)

    def append(self, writes: Sequence[Write]) -> None:
        raise AssertionError("a recorder does not append")

    def named(self, write: Write) -> dict[str, float]:
        """The values of a write by metric name; staleness markers as -1."""
        assert len(write.refs) == len(write.values)
        values = np.where(is_stale(write.values), -1.0, write.values)
        return {
            self.series[ref].name: float(value)
            for ref, value in zip(write.refs, values, strict=True)
        }


class Target:
    """A recorder and the store that it numbers its series in."""

    def __init__(self) -> None:
        self.store = Numbering()
        self.recorder = Recorder(self.store, "t", Labels({"job": "j"}))
        self.time = 0

    def probed(self, outcome: Outcome) -> dict[str, float]:
        self.time += 1000
        (write,) = writes_of([self.recorder.record(outcome, self.time, 5.0, "id")])
        assert (write.origin, write.times, write.correlation_id) == ("t", self.time, "id")
        assert write.values.dtype == np.float64
        return self.store.named(write)


STEADY = {
    "probe_success": 1.0,
    "probe_duration_seconds": 0.25,
    "probe_timeout_seconds": 5.0,
    "probe_x": 1.0,
}


def test_a_steady_probe_writes_the_same_series_and_asks_for_none() -> None:
    """The second success is written without asking the store for series."""
    target = Target()
    assert [target.probed(GOOD) for _ in range(3)] == [STEADY] * 3
    assert target.store.asked == 1


def test_a_failure_between_successes_begins_and_ends_its_own_series() -> None:
    """probe_failure_info is written with a failure, and its marker with the next success."""
    target = Target()
    target.probed(GOOD)
    failed = target.probed(BAD)
    assert (failed["probe_success"], failed["probe_failure_info"]) == (0.0, 1.0)
    assert target.probed(BAD) == failed
    assert target.probed(GOOD) == {**STEADY, "probe_failure_info": -1.0}
    assert target.probed(GOOD) == STEADY


def test_another_layout_ends_the_series_that_are_gone() -> None:
    """A success with other series is not taken for a steady one."""
    target = Target()
    assert target.probed(WIDER)["probe_y"] == 2.0
    assert target.probed(GOOD) == {**STEADY, "probe_y": -1.0}
    assert target.probed(WIDER) == {**STEADY, "probe_y": 2.0}


def test_after_an_epoch_series_are_numbered_anew() -> None:
    """Numbers that the store gave back are not used again."""
    target = Target()
    target.probed(GOOD)
    target.probed(GOOD)
    target.store.renumber()
    assert target.probed(GOOD) == STEADY
    assert target.store.asked == 2


def test_the_end_is_after_the_last_sample_and_is_told_once() -> None:
    """Markers for all series, later than the last sample even when the clock is behind."""
    target = Target()
    target.probed(GOOD)
    target.probed(GOOD)
    end = target.recorder.end(500)
    assert end is not None
    assert end.times == target.time + 1
    assert target.store.named(end) == dict.fromkeys(STEADY, -1.0)
    assert target.recorder.end(10_000) is None
    assert target.probed(GOOD) == STEADY


def test_lateness_is_a_histogram_in_the_registry() -> None:
    """A value on a bound belongs to its bucket; buckets are cumulative."""
    registry = CollectorRegistry()
    metrics = ProbeMetrics(registry)
    for seconds in (0.005, 0.006, 99.0):
        metrics.lateness.observe(seconds)
    name = "controlplane_probe_lateness_seconds"
    buckets = [
        registry.get_sample_value(f"{name}_bucket", {"le": bound})
        for bound in ("0.005", "0.01", "10.0", "+Inf")
    ]
    assert buckets == [1.0, 2.0, 2.0, 3.0]
    assert registry.get_sample_value(f"{name}_count") == 3.0
    assert registry.get_sample_value(f"{name}_sum") == 0.005 + 0.006 + 99.0


def test_rows_and_writes_keep_their_order() -> None:
    """Steady probes share an array, others bring their own, and each write has its own values."""
    target, other = Target(), Target()
    for each in (target, other):
        each.probed(GOOD)
    rows = [
        target.recorder.record(GOOD, 2000, 5.0, "a"),
        other.recorder.record(BAD, 2000, 5.0, "b"),
        target.recorder.record(GOOD, 3000, 4.0, "c"),
    ]
    writes = writes_of(rows)
    assert [write.correlation_id for write in writes] == ["a", "b", "c"]
    assert target.store.named(writes[0]) == STEADY
    assert other.store.named(writes[1])["probe_success"] == 0.0
    assert target.store.named(writes[2]) == STEADY | {"probe_timeout_seconds": 4.0}
    assert writes[0].values.base is writes[2].values.base


def test_a_failure_asks_for_its_new_series_only() -> None:
    """A target that fails for the first time is known by all its series but one, and back again."""
    target = Target()
    target.probed(GOOD)
    assert len(target.store.last_asked) == 4
    failed = target.probed(BAD)
    assert target.store.last_asked == ["probe_failure_info"]
    assert failed["probe_x"] == 0.0
    assert failed["probe_failure_info"] == 1.0
    assert target.probed(GOOD) == STEADY | {"probe_failure_info": -1.0}
    assert target.store.asked == 2
