"""Native histograms in the store: kept bit by bit, in order, over a restart."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from prometheus_client import CollectorRegistry

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.histogram import CounterResetHint, FloatHistogram
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN
from controlplane.promql.histograms.text import parse_histogram, written
from controlplane.tsdb.histogram_codec import decode, encode
from controlplane.tsdb.histograms import is_marker, markers, numbers, unmarked
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock
from tests.support.histograms import SOME, histograms

LATENCY = Labels({"__name__": "latency"})
MINUTE = 60_000
HOUR = 60 * MINUTE


def read(text: str) -> FloatHistogram:
    return parse_histogram(text)[0]


GROWING = [read(f"{{{{schema:1 count:{n} sum:{n} buckets:[{n}]}}}}") for n in range(1, 200)]


def append(store: Store, time: Timestamp, *found: FloatHistogram | float) -> None:
    """Append one sample of `latency`, or several at instants a minute apart."""
    ref = store.refs([LATENCY])
    for place, one in enumerate(found):
        value, given = (one, None) if isinstance(one, float) else (0.0, [one])
        at = time + place * MINUTE
        store.append([Write("test", at, ref, np.array([value]), "", given)])


def window(store: Store, start: Timestamp, end: Timestamp) -> list[FloatHistogram | float]:
    """Return the samples of `latency`."""
    querier, ref = store.querier(), store.refs([LATENCY])
    values = querier.window(ref, start, end).values
    lookup = querier.histograms(ref)
    if lookup is None:
        return list(values.tolist())
    found, lost = lookup.resolve(values)
    assert not lost.any()
    return [v if h is None else h for v, h in zip(values.tolist(), found.tolist(), strict=True)]


def shown(found: Sequence[FloatHistogram | float]) -> list[str]:
    return [written(one) if isinstance(one, FloatHistogram) else str(one) for one in found]


@SOME
@given(histograms())
def test_histograms_survive_their_encoding(histogram: FloatHistogram) -> None:
    """Layout, counts, hint: all comes back."""
    told = replace(histogram, detected=CounterResetHint.RESET)
    again = decode(encode(told))
    assert again.same(histogram)
    assert (again.hint, again.detected) == (histogram.hint, CounterResetHint.RESET)


def test_whole_counts_take_little_room() -> None:
    """Forty buckets of a few thousand observations: two bytes each, or less."""
    counts = " ".join(str(1000 + 37 * n % 64) for n in range(40))
    assert len(encode(read(f"{{{{schema:3 count:41000 sum:1 buckets:[{counts}]}}}}"))) < 100


@pytest.mark.parametrize("data", [b"", b"\x00" * 5, encode(GROWING[0])[:-3]])
def test_what_is_cut_off_is_refused(data: bytes) -> None:
    """It is a ValueError, nothing else."""
    with pytest.raises(ValueError, match="bad histogram"):
        decode(data)


def test_markers_are_no_numbers_that_come_from_outside() -> None:
    """A marker has the number in it; what looks like one from outside is an ordinary NaN."""
    found = markers(np.array([0, 7, 2**48 - 1]))
    assert numbers(found).tolist() == [0, 7, 2**48 - 1]
    assert is_marker(found).all()
    plain = np.array([0.0, 1.5, np.inf, np.nan, STALE_NAN])
    assert not is_marker(plain).any()
    with np.errstate(invalid="ignore"):
        assert not is_marker(found + 1.0).any()
    assert unmarked(plain).tobytes() == plain.tobytes()
    store = Store.in_memory(clock=ManualClock())
    append(store, ManualClock().now(), float(found[1]))
    assert store.querier().histograms(store.refs([LATENCY])) is None
    assert shown(window(store, 0, 2**45)) == ["nan"]


def test_floats_and_histograms_of_one_series_stand_in_order() -> None:
    """Each is what it was; a marker of staleness ends both."""
    clock = ManualClock()
    store, now = Store.in_memory(clock=clock), clock.now()
    append(store, now, 1.0, GROWING[0], 2.0, GROWING[1])
    assert shown(window(store, 0, 2**45)) == [
        "1.0",
        written(GROWING[0]),
        "2.0",
        written(GROWING[1]),
    ]
    append(store, now + 5 * MINUTE, float(STALE_NAN))
    ref = store.refs([LATENCY])
    assert not store.querier().instants(ref, np.array([now + 6 * MINUTE]), HOUR).present.any()


def test_the_same_again_is_no_sample_and_another_is_refused() -> None:
    """Old ones are refused as floats are; an equal one at the same time changes nothing."""
    clock, registry = ManualClock(), CollectorRegistry()
    store = Store.in_memory(StoreOptions(), clock=clock, registry=registry)
    now = clock.now()
    append(store, now, GROWING[5])
    append(store, now, GROWING[5])
    append(store, now, GROWING[6])
    append(store, now - MINUTE, GROWING[4])
    assert shown(window(store, 0, 2**45)) == [written(GROWING[5])]
    refused = {
        reason: registry.get_sample_value(
            "controlplane_tsdb_samples_rejected_total", {"reason": reason}
        )
        for reason in ("duplicate", "out_of_order")
    }
    assert refused == {"duplicate": 1, "out_of_order": 1}


def test_what_is_told_of_resets() -> None:
    """Of neighbours in one layout that there was none; of others what was detected."""
    clock = ManualClock()
    store = Store.in_memory(clock=clock)
    gauge = read("{{schema:1 count:9 buckets:[9] counter_reset_hint:gauge}}")
    claimed = read("{{schema:1 count:10 buckets:[10] counter_reset_hint:not_reset}}")
    coarser = read("{{schema:0 count:200 buckets:[200]}}")
    given = (claimed, GROWING[20], GROWING[3], coarser, gauge, GROWING[50])
    append(store, clock.now(), *given)
    found = [one for one in window(store, 0, 2**45) if isinstance(one, FloatHistogram)]
    unknown, none = CounterResetHint.UNKNOWN, CounterResetHint.NOT_RESET
    reset, level = CounterResetHint.RESET, CounterResetHint.GAUGE
    assert [one.hint for one in found] == [unknown, none, unknown, unknown, level, unknown]
    assert [one.detected for one in found] == [unknown, unknown, reset, none, unknown, none]
    assert [one.statistics().hint for one in found] == [unknown, none, reset, none, level, none]


def test_a_regular_series_moves_into_a_slab_with_its_histograms() -> None:
    """Where samples live makes no difference to what they are."""
    clock = ManualClock()
    store, now = Store.in_memory(clock=clock), clock.now()
    append(store, now, *GROWING[:150])
    assert shown(window(store, now - 1, now + 150 * MINUTE)) == [
        written(one.hinted(CounterResetHint.NOT_RESET if place else CounterResetHint.UNKNOWN))
        for place, one in enumerate(GROWING[:150])
    ]


def test_a_restart_brings_histograms_back(tmp_path: Path) -> None:
    """The log holds them; numbers go on where they stood."""
    clock = ManualClock()
    now = clock.now()
    for part in (GROWING[:30], GROWING[30:60]):
        store = Store.open(tmp_path, StoreOptions(), clock, CollectorRegistry())
        append(store, now, *part)
        assert store.flush()
        now += 30 * MINUTE
        store.stop()
    store = Store.open(tmp_path, StoreOptions(), clock, CollectorRegistry())
    found = [one for one in window(store, 0, 2**45) if isinstance(one, FloatHistogram)]
    store.stop()
    assert len(found) == 60
    assert all(a.same(b) for a, b in zip(found, GROWING[:60], strict=True))


def test_expired_histograms_are_dropped() -> None:
    """What no sample names any more does not stay in memory."""
    clock = ManualClock()
    store = Store.in_memory(StoreOptions(retention=HOUR), clock=clock)
    many = [Labels({"__name__": "latency", "n": str(n)}) for n in range(2000)]
    refs = store.refs(many)
    for tick in range(3):
        given = [GROWING[tick]] * len(refs)
        store.append([Write("test", clock.now(), refs, np.zeros(len(refs)), "", given)])
        clock.set(clock.now() + 2 * HOUR)
        store.maintain()
    # The series are gone with their samples: numbers up to the newest page resolve to nothing.
    pool = store.querier().histograms(refs)
    kept = 0 if pool is None else int(pool.resolve(markers(np.arange(6000)))[0].astype(bool).sum())
    assert kept <= 2000


def test_a_write_whose_columns_do_not_fit_is_refused() -> None:
    """Before it can spoil its group."""
    store = Store.in_memory(clock=ManualClock())
    with pytest.raises(InvalidInput, match="1 series, 2 histograms"):
        store.append([Write("test", 1, store.refs([LATENCY]), np.zeros(1), "", [None, None])])
