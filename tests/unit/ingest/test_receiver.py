"""Requests of remote write into a store: what is kept, what is refused, what is said of it."""

from collections.abc import Sequence

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.errors import InvalidInput, Overloaded, TooLarge
from controlplane.ingest.metadata import Metadata
from controlplane.ingest.metrics import IngestMetrics
from controlplane.ingest.options import IngestOptions
from controlplane.ingest.receiver import Receiver
from controlplane.ingest.wire import message_class
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock
from tests.support.remote_write import Series, snappy, stale_sample, version_1, version_2

NOW = 1_700_000_000_000
UP = {"__name__": "up", "job": "a"}


class Bench:
    """A receiver over a store in memory."""

    def __init__(self, options: IngestOptions | None = None, max_series: int = 0) -> None:
        self.clock = ManualClock(NOW)
        self.registry = CollectorRegistry()
        self.store = Store.in_memory(
            StoreOptions(retention=0, max_series=max_series), clock=self.clock
        )
        self.receiver = Receiver(
            self.store, self.clock, IngestMetrics(self.registry), options or IngestOptions()
        )

    def send(
        self, *series: Series, version: int = 1, sender: str = ""
    ) -> tuple[int, dict[str, int]]:
        body = version_1(series) if version == 1 else version_2(series)
        tally = self.receiver.remote_write(snappy(body), version, sender)
        return tally.written, tally.rejections.counts

    def stored(self, name: str) -> list[tuple[int, float]]:
        querier = self.store.querier()
        refs = querier.select([Matcher("__name__", MatchOp.EQUAL, name)])
        window = querier.window(refs, 0, 2**45)
        return list(zip(window.times.tolist(), window.values.tolist(), strict=True))


@pytest.mark.parametrize("version", [1, 2])
def test_samples_are_visible_when_the_call_returns(version: int) -> None:
    """Series are created, samples stand at their milliseconds, unsorted labels are one series."""
    bench = Bench()
    turned = dict(reversed(UP.items()))
    assert bench.send((UP, [(NOW, 1.0), (NOW + 1, 0.0)]), version=version) == (2, {})
    assert bench.send((turned, [(NOW + 2, 3.5)]), version=version) == (1, {})
    assert bench.stored("up") == [(NOW, 1.0), (NOW + 1, 0.0), (NOW + 2, 3.5)]
    assert len(bench.store.querier().select([])) == 1
    value = bench.registry.get_sample_value(
        "controlplane_ingest_samples_total", {"protocol": f"remote_write_{version}"}
    )
    assert value == 3


def test_a_staleness_marker_ends_a_series() -> None:
    """The marker goes through bit by bit, so an instant query finds nothing after it."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]), ({"__name__": "other"}, [(NOW, 1.0)]))
    body = version_1([], {"other": [stale_sample(NOW + 15_000)]})
    assert bench.receiver.remote_write(snappy(body), 1).written == 1
    querier = bench.store.querier()
    found = querier.instants(querier.select([]), np.array([NOW + 15_000]), 300_000)
    assert found.present[:, 0].tolist() == [True, False]


@pytest.mark.parametrize("version", [1, 2])
def test_the_rest_of_a_request_is_kept(version: int) -> None:
    """What is out of order or has a second value is refused and named, everything else stays."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]))
    written, refused = bench.send(
        (UP, [(NOW - 1, 5.0), (NOW, 1.0), (NOW, 2.0), (NOW + 1, 3.0)]),
        ({"__name__": "fresh"}, [(NOW, 1.0)]),
        version=version,
    )
    # The same sample again is no error: senders repeat themselves.
    assert (written, refused) == (3, {"out_of_order": 1, "duplicate": 1})
    assert bench.stored("up") == [(NOW, 1.0), (NOW + 1, 3.0)]
    assert bench.stored("fresh") == [(NOW, 1.0)]


def test_samples_that_were_there_before_count() -> None:
    """A receiver that has just started knows the newest sample of each series nevertheless."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]))
    again = Receiver(bench.store, bench.clock, IngestMetrics(CollectorRegistry()), IngestOptions())
    tally = again.remote_write(snappy(version_1([(UP, [(NOW - 1, 1.0)])])), 1)
    assert (tally.written, tally.rejections.counts) == (0, {"out_of_order": 1})


def test_times_out_of_bounds_are_refused() -> None:
    """Neither older than the retention nor over ten minutes ahead."""
    bench = Bench(IngestOptions(keep=3_600_000))
    written, refused = bench.send(
        ({"__name__": "old"}, [(NOW - 3_600_001, 1.0), (NOW - 3_600_000, 1.0)]),
        ({"__name__": "new"}, [(NOW + 600_000, 1.0), (NOW + 600_001, 1.0)]),
    )
    assert (written, refused) == (2, {"too_old": 1, "out_of_bounds": 1})


LABELS: Sequence[tuple[list[tuple[str, str]], str]] = [
    ([("job", "a")], "no metric name"),
    ([("__name__", "x"), ("", "a")], "without a name"),
    ([("__name__", "x"), ("a", "1"), ("a", "2")], "'a' comes twice"),
    ([("__name__", "")], "no metric name"),
]


@pytest.mark.parametrize(("pairs", "reason"), LABELS)
def test_wrong_label_sets_are_refused_each_time(pairs: list[tuple[str, str]], reason: str) -> None:
    """Their samples are counted under one reason that quotes the first case."""
    bench = Bench()
    label, request = message_class("Label"), message_class("WriteRequest")()
    series = request.timeseries.add()
    series.labels.extend(label(name=n, value=v).SerializeToString() for n, v in pairs)
    series.samples.append(stale_sample(NOW))
    for _ in range(2):
        tally = bench.receiver.remote_write(snappy(request.SerializeToString()), 1)
        assert (tally.written, tally.rejections.counts) == (0, {"invalid_labels": 1})
        assert reason in str(tally.rejections)


def test_the_same_wrong_labels_in_version_2() -> None:
    """References that are odd or lead nowhere, and repeated names, refuse their series alone."""
    bench = Bench()
    request = message_class("Request2")()
    request.symbols.extend(["", "__name__", "good", "a"])
    for refs in ([1, 2, 3], [1, 9], [1, 2, 1, 2], [1, 2]):
        series = request.timeseries.add()
        series.labels_refs.extend(refs)
        series.samples.append(stale_sample(NOW))
    request.timeseries.add().labels_refs.extend([1, 2])
    tally = bench.receiver.remote_write(snappy(request.SerializeToString()), 2)
    assert tally.written == 1
    assert tally.rejections.counts == {"series_without_samples": 1, "invalid_labels": 3}


def test_a_label_without_a_value_is_none() -> None:
    """An empty value is the same as no label."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]), ({**UP, "zone": ""}, [(NOW + 1, 2.0)]))
    assert bench.stored("up") == [(NOW, 1.0), (NOW + 1, 2.0)]


def test_series_over_the_limit_are_named() -> None:
    """What is known goes on; what is new is refused."""
    bench = Bench(max_series=1)
    bench.send((UP, [(NOW, 1.0)]))
    written, refused = bench.send((UP, [(NOW + 1, 1.0)]), ({"__name__": "x"}, [(NOW, 1.0)]))
    assert (written, refused) == (1, {"series_limit": 1})


def test_a_sender_begins_so_many_series_and_no_more() -> None:
    """What it has goes on, others are not touched; a series counts for who brought it first."""
    bench = Bench(IngestOptions(max_series_per_sender=2))
    one, two, three = ({"__name__": name} for name in ("one", "two", "three"))
    assert bench.send((one, [(NOW, 1.0)]), sender="a") == (1, {})
    sent = [(each, [(NOW + 1, 1.0)]) for each in (one, two, three)]
    assert bench.send(*sent, sender="a") == (2, {"sender_series_limit": 1})
    assert bench.stored("three") == []
    assert bench.send(*sent, sender="b") == (3, {})
    again = [(each, [(NOW + 2, 1.0)]) for each in (one, two, three)]
    assert bench.send(*again, sender="a") == (3, {})


@pytest.mark.parametrize("version", [1, 2])
def test_exemplars_are_counted_and_do_not_spoil_the_rest(version: int) -> None:
    """None are kept; the sender is not told, as it could do nothing about it."""
    bench = Bench()
    name, body = ("WriteRequest", version_1) if version == 1 else ("Request2", version_2)
    request = message_class(name).FromString(body([(UP, [(NOW, 1.0)])]))
    request.timeseries[0].exemplars.extend([b"", b""])
    tally = bench.receiver.remote_write(snappy(request.SerializeToString()), version)
    assert (tally.written, tally.rejections.counts) == (1, {})
    counted = bench.registry.get_sample_value(
        "controlplane_ingest_exemplars_dropped_total", {"protocol": f"remote_write_{version}"}
    )
    assert counted == 2


def test_metadata_is_remembered() -> None:
    """Version 1 tells of families, version 2 of each series; a histogram's parts are one family."""
    bench = Bench(IngestOptions(max_families=2))
    request = message_class("WriteRequest")()
    said = request.metadata.add()
    said.type, said.metric_family_name, said.help, said.unit = 1, "requests", "All of them.", ""
    bench.receiver.remote_write(snappy(request.SerializeToString()), 1)
    parts = [({"__name__": f"latency_{part}"}, [(NOW, 1.0)]) for part in ("bucket", "sum")]
    body = version_2([*parts, (UP, [(NOW, 1.0)])], metadata=(3, "How long.", "seconds"))
    bench.receiver.remote_write(snappy(body), 2)
    assert bench.receiver.metadata.families() == {
        "requests": Metadata("counter", "All of them.", ""),
        "latency": Metadata("histogram", "How long.", "seconds"),
    }


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b"no snappy at all", 1),
        (snappy(b"\xff\xff"), 1),
        (snappy(version_2([(UP, [(NOW, 1.0)])])), 1),
        (snappy(version_1([(UP, [(NOW, 1.0)])])), 2),
        (b"", 1),
    ],
)
def test_what_cannot_be_decoded_is_refused(body: bytes, version: int) -> None:
    """Above all a body of the other version, which decodes as an empty one."""
    bench = Bench()
    with pytest.raises(InvalidInput):
        bench.receiver.remote_write(body, version)
    labels = {"protocol": f"remote_write_{version}"}
    value = bench.registry.get_sample_value("controlplane_ingest_unreadable_requests_total", labels)
    assert value == 1


def test_a_small_body_that_unpacks_to_a_large_one_is_refused() -> None:
    """The length that a block declares is looked at before anything is unpacked."""
    bench = Bench(IngestOptions(max_bytes=1000))
    with pytest.raises(TooLarge):
        bench.receiver.remote_write(snappy(bytes(1001)), 1)
    # A block that declares 2 GiB and holds nothing.
    with pytest.raises(TooLarge):
        bench.receiver.remote_write(b"\x80\x80\x80\x80\x08", 1)


def test_removed_series_are_created_anew() -> None:
    """When the store gave numbers back, none of the old ones is used again."""
    bench = Bench()
    store = Store.in_memory(StoreOptions(retention=60_000), clock=bench.clock)
    metrics = IngestMetrics(CollectorRegistry())
    receiver = Receiver(store, bench.clock, metrics, IngestOptions(keep=60_000))
    assert receiver.remote_write(snappy(version_1([(UP, [(NOW, 1.0)])])), 1).written == 1
    bench.clock.set(NOW + 200_000)
    store.maintain()
    assert len(store.querier().select([])) == 0
    # As far back as before: nothing is known of the old series' samples.
    body = version_1([(UP, [(NOW + 150_000, 2.0)])])
    assert receiver.remote_write(snappy(body), 1).written == 1
    assert len(store.querier().select([])) == 1


class _Full(Store):
    """A store whose queue is full until told otherwise."""

    full = True

    def append(self, writes: Sequence[Write]) -> None:
        if self.full:
            raise Overloaded("full")
        super().append(writes)


def test_a_full_store_asks_to_send_again() -> None:
    """The same request is taken whole the next time."""
    store = _Full.in_memory()
    receiver = Receiver(
        store, ManualClock(NOW), IngestMetrics(CollectorRegistry()), IngestOptions()
    )
    body = snappy(version_1([(UP, [(NOW, 1.0), (NOW + 1, 1.0)])]))
    with pytest.raises(Overloaded):
        receiver.remote_write(body, 1)
    _Full.full = False
    assert receiver.remote_write(body, 1).written == 2


@pytest.mark.parametrize("value", [2.5, 0.0])
def test_series_that_are_known_are_read_as_those_that_are_not(value: float) -> None:
    """Whatever stands around a known label set: more samples, more labels, samples first."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]))
    bench.send((UP, [(NOW + 1, value)]))
    bench.send((UP, [(NOW + 2, value), (NOW + 3, value), (NOW + 4, value)]))
    bench.send((UP, []), ({**UP, "b": "1"}, [(NOW + 5, value)]))
    request = message_class("WriteRequest").FromString(version_1([(UP, [(NOW + 6, value)])]))
    series = request.timeseries[0]
    labels = message_class("TimeSeries")(labels=series.labels).SerializeToString()
    sample = message_class("TimeSeries")(samples=series.samples).SerializeToString()
    more = message_class("Label")(name="c", value="2").SerializeToString()
    last = message_class("TimeSeries")(labels=[more]).SerializeToString()
    bodies = [sample + labels, labels + last + sample, labels + sample + last]
    for body in bodies:
        bench.receiver.remote_write(snappy(b"\x0a" + bytes([len(body)]) + body), 1)
    wanted = [(NOW, 1.0), *((NOW + after, value) for after in (1, 2, 3, 4, 6))]
    querier = bench.store.querier()
    found = {
        str(labels): querier.window(np.array([ref]), 0, 2**45).times.tolist()
        for ref, labels in enumerate(querier.labels(querier.select([])))
    }
    assert found == {
        'up{job="a"}': [time for time, _ in wanted],
        'up{b="1", job="a"}': [NOW + 5],
        'up{c="2", job="a"}': [NOW + 6],
    }
    assert bench.stored("up")[: len(wanted)] == wanted


def test_a_series_of_a_request_that_is_cut_short_is_refused_whole() -> None:
    """Also where it begins like one that is known."""
    bench = Bench()
    bench.send((UP, [(NOW, 1.0)]))
    body = version_1([(UP, [(NOW + 1, 2.5)])])
    series = body[2:-1]
    with pytest.raises(InvalidInput):
        bench.receiver.remote_write(snappy(b"\x0a" + bytes([len(series)]) + series), 1)
    assert bench.stored("up") == [(NOW, 1.0)]
