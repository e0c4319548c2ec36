"""Native histograms that targets serve, and classic ones that are made into such."""

from typing import Any

import pytest

from controlplane.config.globals import GlobalOptions
from controlplane.config.scrape import _scrape
from controlplane.model.duration import SECOND
from controlplane.model.labels import Labels
from controlplane.promql.engine import Engine
from controlplane.promql.histograms.text import written
from controlplane.promql.values import Vector
from controlplane.scrape.exposition.formats import accept_header
from controlplane.scrape.exposition.grammar import ExpositionError
from controlplane.scrape.exposition.protobuf import (
    _MESSAGES,
    Wanted,
    exemplars,
    read_protobuf,
)
from controlplane.scrape.job import Failure, ScrapeJob
from controlplane.scrape.options import DEFAULT_PROTOCOLS, NATIVE_PROTOCOLS, ScrapeConfig
from controlplane.scrape.scraper import TargetScraper
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock
from tests.unit.scrape.recorder import Target, surroundings

T = 1_700_000_000_000
_OWN = '{__name__=~".+", __name__!~"up|scrape_.*"}'
KIND = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)
CLASSIC = [(1.0, 1), (2.0, 3), (float("inf"), 4)]


def message(kind: str, /, **fields: Any) -> Any:
    return _MESSAGES.message_class(kind)(**fields)


def family(name: str, kind: int, *metrics: Any, text: str = "") -> bytes:
    """Return a metric family with its length before it."""
    encoded = message("MetricFamily", name=name, type=kind, help=text, metric=metrics)
    body: bytes = encoded.SerializeToString()
    size, prefix = len(body), bytearray()
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*prefix, size]) + body


def labels(**pairs: str) -> list[Any]:
    return [message("Label", name=name, value=value) for name, value in pairs.items()]


def histogram(*, classic: bool = True, native: bool = True, **more: Any) -> Any:
    """Return a histogram of 4 observations."""
    found = message("Histogram", sample_count=4, sample_sum=6.0)
    if classic:
        found.bucket.extend(
            message("Bucket", upper_bound=bound, cumulative_count=count) for bound, count in CLASSIC
        )
    if native:
        found.schema, found.zero_threshold = 0, 0.001
        found.positive_span.extend([message("Span", offset=0, length=2)])
        found.positive_delta.extend([1, 2])
    return message("Metric", histogram=found, **more)


class Bench:
    """A scraper over a store."""

    def __init__(self, **config: Any) -> None:
        self.target, self.clock = Target(), ManualClock(T)
        self.store = Store.in_memory(clock=self.clock)
        own = Labels({"job": "j"})
        job = ScrapeJob("k", "http://i/", own, 15 * SECOND, SECOND, ScrapeConfig("j", **config))
        self.scraper = TargetScraper(job, surroundings(self.target, self.store, self.clock))
        self.at = T - 15_000

    async def scrape(self, body: str | bytes, kind: str = KIND) -> dict[str, str]:
        """Return what is there afterwards, by series, without the scrape's report."""
        self.target.serve(body, content_type=kind)
        self.at += 15_000
        await self.scraper.scrape(self.at)
        value = Engine(self.store).instant(_OWN, self.at).value
        assert isinstance(value, Vector)
        objects = [None] * len(value.labels) if value.histograms is None else value.histograms
        return {
            str(series.drop("job")): f"{number:g}" if found is None else written(found)
            for series, number, found in zip(value.labels, value.values, objects, strict=True)
        }


NATIVE_TEXT = "{{count:4 sum:6 z_bucket_w:0.001 buckets:[1 3]}}"
CLASSIC_TEXTS = {
    'took_bucket{le="1.0"}': "1",
    'took_bucket{le="2.0"}': "3",
    'took_bucket{le="+Inf"}': "4",
    "took_count": "4",
    "took_sum": "6",
}


async def test_every_kind_of_family_is_read() -> None:
    """Names, labels and quantiles are those of the text formats."""
    bench = Bench()
    value = message("Value", value=3.0)
    quantile = message("Quantile", quantile=0.5, value=7.0)
    summary = message("Summary", sample_count=2, sample_sum=9.0, quantile=[quantile])
    body = b"".join(
        [
            family("c_total", COUNTER, message("Metric", counter=value, label=labels(a='x"\n\\'))),
            family("g", GAUGE, message("Metric", gauge=value), text="A gauge."),
            family("u", UNTYPED, message("Metric", untyped=value)),
            family("s", SUMMARY, message("Metric", summary=summary)),
            family("dotted.name", GAUGE, message("Metric", gauge=value)),
        ]
    )
    assert await bench.scrape(body) == {
        str(Labels({"__name__": "c_total", "a": 'x"\n\\'})): "3",
        "g": "3",
        "u": "3",
        "s_count": "2",
        "s_sum": "9",
        's{quantile="0.5"}': "7",
        str(Labels({"__name__": "dotted.name"})): "3",
    }
    assert bench.scraper.metadata["g"].help == "A gauge."


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, CLASSIC_TEXTS),
        ({"scrape_native_histograms": True}, {"took": NATIVE_TEXT}),
        (
            {"scrape_native_histograms": True, "always_scrape_classic_histograms": True},
            {"took": NATIVE_TEXT, **CLASSIC_TEXTS},
        ),
    ],
)
async def test_native_and_classic(config: dict[str, bool], expected: dict[str, str]) -> None:
    """Native where wanted, else the classic buckets; both where both are wanted."""
    bench = Bench(**config)
    assert await bench.scrape(family("took", HISTOGRAM, histogram())) == expected


async def test_a_histogram_without_native_buckets_stays_classic() -> None:
    """Although native ones are wanted; a missing +Inf bucket is the count."""
    bench = Bench(scrape_native_histograms=True)
    only = histogram(native=False)
    del only.histogram.bucket[2]
    assert await bench.scrape(family("took", HISTOGRAM, only)) == CLASSIC_TEXTS


async def test_a_gauge_histogram_is_a_gauge() -> None:
    """Its hint says so."""
    bench = Bench(scrape_native_histograms=True)
    found = await bench.scrape(family("took", GAUGE_HISTOGRAM, histogram(classic=False)))
    assert "counter_reset_hint:gauge" in found["took"]


async def test_what_goes_is_marked() -> None:
    """A histogram that is served no more ends at once."""
    bench = Bench(scrape_native_histograms=True)
    await bench.scrape(family("took", HISTOGRAM, histogram()))
    value = message("Value", value=3.0)
    assert await bench.scrape(family("g", GAUGE, message("Metric", gauge=value))) == {"g": "3"}


async def test_the_second_page_costs_no_labels() -> None:
    """The shape is the same object while the series are the same; times are honoured."""
    first = read_protobuf(family("took", HISTOGRAM, histogram()), Wanted(native=True))
    again = read_protobuf(family("took", HISTOGRAM, histogram()), Wanted(native=True), first)
    assert again.shape is first.shape
    timed = family("took", HISTOGRAM, histogram(timestamp_ms=7))
    page = read_protobuf(timed, Wanted(native=True), first)
    assert page.times is not None
    assert page.times.tolist() == [7]


@pytest.mark.parametrize("cut", [1, 3, 40])
async def test_a_body_that_ends_too_early_is_refused(cut: int) -> None:
    """Nothing of it is stored; the target is down for that reason."""
    body = family("took", HISTOGRAM, histogram())
    with pytest.raises(ExpositionError):
        read_protobuf(body[:cut], Wanted())
    bench = Bench()
    assert await bench.scrape(body[:cut]) == {}
    assert bench.scraper.status.failure is Failure.PARSE


async def test_buckets_that_do_not_fit_are_refused() -> None:
    """A target that serves nonsense is down."""
    wrong = histogram()
    wrong.histogram.positive_span[0].length = 9
    bench = Bench(scrape_native_histograms=True)
    assert await bench.scrape(family("took", HISTOGRAM, wrong)) == {}
    assert "spans need" in bench.scraper.status.last_error


def test_exemplars_are_counted() -> None:
    """Those of counters and of both kinds of buckets."""
    value = message("Value", value=3.0, exemplar=[b""])
    shown = histogram()
    shown.histogram.exemplars.extend([b"", b""])
    shown.histogram.bucket[0].exemplar.append(b"")
    body = family("c", COUNTER, message("Metric", counter=value)) + family("h", HISTOGRAM, shown)
    assert exemplars(body) == 4


TEXT_PAGE = """\
# TYPE took histogram
took_bucket{le="1"} 1
took_bucket{le="2"} 3
took_bucket{le="+Inf"} 4
took_count 4
took_sum 6
# TYPE other counter
other_count 5
"""
CUSTOM_TEXT = "{{schema:-53 count:4 sum:6 custom_values:[1 2] buckets:[1 2 1]}}"


async def test_classic_histograms_become_native_ones() -> None:
    """Those of all formats; what only looks like one of their series stays."""
    bench = Bench(convert_classic_histograms_to_nhcb=True)
    text = "text/plain; version=0.0.4"
    expected = {"took": CUSTOM_TEXT, "other_count": "5"}
    assert await bench.scrape(TEXT_PAGE, text) == expected
    more = TEXT_PAGE.replace('"+Inf"} 4', '"+Inf"} 5').replace("took_count 4", "took_count 5")
    found = await bench.scrape(more, text)
    shown = "{{schema:-53 count:5 sum:6 custom_values:[1 2] counter_reset_hint:not_reset "
    assert found["took"] == shown + "buckets:[1 2 2]}}"
    keeping = Bench(convert_classic_histograms_to_nhcb=True, always_scrape_classic_histograms=True)
    assert await keeping.scrape(TEXT_PAGE, text) == {**CLASSIC_TEXTS, **expected}


async def test_counts_that_make_no_sense_are_no_histogram() -> None:
    """Buckets must not fall; the rest of the page is stored."""
    bench = Bench(convert_classic_histograms_to_nhcb=True)
    wrong = TEXT_PAGE.replace('"2"} 3', '"2"} 0')
    assert await bench.scrape(wrong, "text/plain; version=0.0.4") == {"other_count": "5"}


async def test_what_is_native_already_is_not_converted() -> None:
    """The native histogram is the better one."""
    bench = Bench(scrape_native_histograms=True, convert_classic_histograms_to_nhcb=True)
    body = family("took", HISTOGRAM, histogram())
    assert await bench.scrape(body) == {"took": NATIVE_TEXT}
    classic = family("took", HISTOGRAM, histogram(native=False))
    assert await Bench(convert_classic_histograms_to_nhcb=True).scrape(classic) == {
        "took": CUSTOM_TEXT
    }


def test_protobuf_is_asked_for_where_native_histograms_are_wanted() -> None:
    """First of all, unless the file names protocols itself."""
    taken = _scrape(GlobalOptions(scrape_native_histograms=True), job_name="j")
    assert taken.scrape_protocols == NATIVE_PROTOCOLS
    assert accept_header(taken.scrape_protocols).startswith("application/vnd.google.protobuf;")
    assert _scrape(GlobalOptions(), job_name="j").scrape_protocols == DEFAULT_PROTOCOLS
    wanted = GlobalOptions(scrape_native_histograms=True)
    own = _scrape(wanted, job_name="j", scrape_native_histograms=False)
    assert not own.scrape_native_histograms
