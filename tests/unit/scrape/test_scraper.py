"""One target's scrapes: what is stored, what is marked stale, what is reported."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from controlplane.model.duration import SECOND
from controlplane.model.labels import Labels
from controlplane.model.relabel import Action, RelabelConfig
from controlplane.scrape.job import Failure, Health, ScrapeJob
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetched
from controlplane.scrape.scraper import TargetScraper
from tests.support.clock import ManualClock
from tests.unit.scrape.recorder import STALE, Recorder, Target, surroundings

T = 1_700_000_000_000
LABELS = Labels({"job": "j", "instance": "i"})
SUFFIX = '{instance="i", job="j"}'


class Bench:
    """A scraper, what it scrapes, and what it stored."""

    def __init__(self, labels: Labels = LABELS, **config: Any) -> None:
        self.target = Target()
        self.recorder = Recorder()
        self.clock = ManualClock(T)
        self.job = ScrapeJob(
            "k", "http://i/metrics", labels, 15 * SECOND, SECOND, ScrapeConfig("j", **config)
        )
        self.scraper_shared = surroundings(self.target, self.recorder, self.clock)
        self.scraper = TargetScraper(self.job, self.scraper_shared)
        self.at = T - 15_000

    async def scrape(self, body: str | bytes | None = None, **kind: str) -> dict[str, Any]:
        if body is not None:
            self.target.serve(body, **kind)
        self.at += 15_000
        await self.scraper.scrape(self.at)
        return self.recorder.last()


async def test_samples_and_report() -> None:
    """A scrape is one write: its samples and its report, at one instant, with one id."""
    bench = Bench()
    stored = await bench.scrape('a 1\nb{x="y"} 2\n')
    assert stored == {f"a{SUFFIX}": (T, 1.0), 'b{instance="i", job="j", x="y"}': (T, 2.0)}
    assert bench.recorder.report() == {
        "up": 1.0,
        "scrape_duration_seconds": 0.0,
        "scrape_samples_scraped": 2.0,
        "scrape_samples_post_metric_relabeling": 2.0,
        "scrape_series_added": 2.0,
    }
    (write,) = bench.recorder.writes
    assert write.origin == "k"
    assert re.fullmatch("[0-9a-f]{16}", write.correlation_id)
    status = bench.scraper.status
    assert (status.health, status.last_scrape, status.samples) == (Health.UP, T, 2)


async def test_series_are_asked_for_once() -> None:
    """The second scrape of the same series asks the store for no number."""
    bench = Bench()
    await bench.scrape("a 1\nb 2\n")
    bench.recorder.asked.clear()
    assert await bench.scrape("a 3\nb 2\n") == {
        f"a{SUFFIX}": (T + 15_000, 3.0),
        f"b{SUFFIX}": (T + 15_000, 2.0),
    }
    assert bench.recorder.asked == []
    assert bench.recorder.report()["scrape_series_added"] == 0.0
    await bench.scrape("new 1\nb 2\na 4\n")
    assert bench.recorder.asked == [LABELS.merge({"__name__": "new"})]
    assert bench.recorder.report()["scrape_series_added"] == 1.0


async def test_series_that_goes_is_marked_once() -> None:
    """A series missing from a good scrape gets one marker, and may come back."""
    bench = Bench()
    await bench.scrape("a 1\nb 2\n")
    assert (await bench.scrape("a 1\n"))[f"b{SUFFIX}"] == (T + 15_000, STALE)
    assert f"b{SUFFIX}" not in await bench.scrape("a 1\n")
    assert (await bench.scrape("a 1\nb 5\n"))[f"b{SUFFIX}"] == (T + 45_000, 5.0)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Fetched(failure=Failure.CONNECT, error="refused"), Failure.CONNECT),
        (Fetched(b"a 1\nb x\n", "text/plain"), Failure.PARSE),
        (Fetched(b"a 1\nb{} \xff\n", "text/plain"), Failure.PARSE),
        (Fetched(b"a 1\n", "application/openmetrics-text"), Failure.PARSE),
        (Fetched(b"a 1\n", "text/html"), Failure.CONTENT_TYPE),
        (Fetched(b"a 1\n", ""), Failure.CONTENT_TYPE),
        (Fetched(b'a{b="1",b="2"} 1\n', "text/plain"), Failure.PARSE),
    ],
)
async def test_failed_scrape(answer: Fetched, failure: Failure) -> None:
    """A failed scrape stores none of its samples: up 0, and all that was there goes stale."""
    bench = Bench()
    await bench.scrape("a 1\nb 2\n")
    bench.target.answer = answer
    stored = await bench.scrape()
    assert stored == {f"a{SUFFIX}": (T + 15_000, STALE), f"b{SUFFIX}": (T + 15_000, STALE)}
    assert bench.recorder.report()["up"] == 0.0
    status = bench.scraper.status
    assert (status.health, status.failure) == (Health.DOWN, failure)
    assert status.last_error
    assert await bench.scrape() == {}
    assert await bench.scrape("a 1\nb 2\n") == {
        f"a{SUFFIX}": (T + 45_000, 1.0),
        f"b{SUFFIX}": (T + 45_000, 2.0),
    }
    assert bench.scraper.status.last_error == ""


async def test_counts_up_to_a_parse_error() -> None:
    """The report tells how many samples stood before the error."""
    bench = Bench()
    await bench.scrape("a 1\nb 2\nc !\nd 1\n")
    assert bench.recorder.report()["scrape_samples_scraped"] == 2.0
    assert bench.recorder.report()["scrape_series_added"] == 0.0


async def test_empty_body_is_a_good_scrape() -> None:
    """A target that serves nothing is up, and its series are gone."""
    bench = Bench()
    await bench.scrape("a 1\n")
    assert await bench.scrape("", content_type="") == {f"a{SUFFIX}": (T + 15_000, STALE)}
    assert bench.recorder.report()["up"] == 1.0


async def test_honor_labels() -> None:
    """Labels in conflict go on as exported ones, unless the target's word is honoured."""
    body = 'a{job="x",exported_job="y",instance=""} 1\n'
    assert list(await Bench().scrape(body)) == [
        'a{exported_exported_job="x", exported_job="y", instance="i", job="j"}'
    ]
    assert list(await Bench(honor_labels=True).scrape(body)) == ['a{exported_job="y", job="x"}']


async def test_timestamps_of_their_own() -> None:
    """A sample's own timestamp is honoured, and its series then never goes stale by absence."""
    bench = Bench()
    assert await bench.scrape("a 1 5000\nb 2\na 3 6000\n") == {
        f"a{SUFFIX}": (6000, 3.0),
        f"b{SUFFIX}": (T, 2.0),
    }
    assert bench.recorder.times().count(5000) == 1
    assert await bench.scrape("b 3\n") == {f"b{SUFFIX}": (T + 15_000, 3.0)}


async def test_track_timestamps_staleness() -> None:
    """With track_timestamps_staleness absence is marked there too."""
    bench = Bench(track_timestamps_staleness=True)
    await bench.scrape("a 1 5000\n")
    assert await bench.scrape("b 1\n") == {
        f"a{SUFFIX}": (T + 15_000, STALE),
        f"b{SUFFIX}": (T + 15_000, 1.0),
    }


async def test_timestamps_not_honoured() -> None:
    """With honor_timestamps off, a timestamp counts for nothing."""
    bench = Bench(honor_timestamps=False)
    assert await bench.scrape("a 1 5000\na 2 6000\n") == {f"a{SUFFIX}": (T, 1.0)}
    assert await bench.scrape("b 1\n") == {
        f"a{SUFFIX}": (T + 15_000, STALE),
        f"b{SUFFIX}": (T + 15_000, 1.0),
    }


async def test_series_that_gets_a_timestamp_is_marked() -> None:
    """A series served with a timestamp from now on is no longer tracked, as upstream."""
    bench = Bench()
    await bench.scrape("a 1\n")
    await bench.scrape(f"a 2 {T + 20_000}\n")
    assert sorted(bench.recorder.times())[-2:] == [T + 15_000, T + 20_000]
    assert f"a{SUFFIX}" not in await bench.scrape("b 1\n")


async def test_duplicates() -> None:
    """Of two samples of one series in one body the first counts, however it is written."""
    bench = Bench()
    assert await bench.scrape('a{x="1",y="2"} 1\na{y="2",x="1"} 2\na{x="1",y="2"} 3\n') == {
        'a{instance="i", job="j", x="1", y="2"}': (T, 1.0)
    }
    assert bench.recorder.report()["scrape_samples_post_metric_relabeling"] == 3.0
    assert await bench.scrape('a{y="2",x="1"} 9\n') == {
        'a{instance="i", job="j", x="1", y="2"}': (T + 15_000, 9.0)
    }


async def test_metric_relabelling() -> None:
    """metric_relabel_configs drop and rename, and the report counts what they left."""
    drop = RelabelConfig(Action.DROP, source_labels=("__name__",), regex="go_.*")
    rename = RelabelConfig(
        source_labels=("__name__",), regex="old_(.*)", target_label="__name__", replacement="new_$1"
    )
    bench = Bench(metric_relabel_configs=(drop, rename))
    for _ in range(2):
        assert list(await bench.scrape("go_x 1\nold_a 2\n")) == [f"new_a{SUFFIX}"]
    report = bench.recorder.report()
    assert report["scrape_samples_scraped"] == 2.0
    assert report["scrape_samples_post_metric_relabeling"] == 1.0


@pytest.mark.parametrize(
    ("config", "body", "failure"),
    [
        ({"sample_limit": 1}, "a 1\nb 2\n", Failure.SAMPLE_LIMIT),
        ({"label_limit": 3}, 'a{x="y"} 1\n', Failure.LABEL_LIMIT),
        ({"label_name_length_limit": 8}, 'a{long_name="y"} 1\n', Failure.LABEL_LIMIT),
        ({"label_value_length_limit": 3}, 'a{x="ééé"} 1\n', Failure.LABEL_LIMIT),
        (
            {"metric_relabel_configs": (RelabelConfig(Action.LABELDROP, regex="__name__"),)},
            "a 1\n",
            Failure.LABELS,
        ),
    ],
)
async def test_limits(config: dict[str, Any], body: str, failure: Failure) -> None:
    """A scrape over a limit fails as a whole, before the store has seen its series."""
    bench = Bench(**config)
    assert await bench.scrape(body) == {}
    assert bench.scraper.status.failure is failure
    assert not [labels for labels in bench.recorder.asked if labels.name in ("a", "b")]


async def test_limits_allow_what_they_say() -> None:
    """At a limit a scrape still passes."""
    bench = Bench(sample_limit=2, label_limit=4, label_name_length_limit=8)
    assert len(await bench.scrape('a{x="y"} 1\nb 2\n')) == 2


async def test_target_limit() -> None:
    """A job that is refused reports so on each tick, without a request."""
    bench = Bench()
    job = ScrapeJob("k", "u", LABELS, 15_000, 1_000, bench.job.config, refused="target_limit")
    bench.scraper.change(job)
    assert await bench.scrape("a 1\n") == {}
    assert bench.target.asked == []
    assert bench.scraper.status.failure is Failure.TARGET_LIMIT


async def test_new_epoch() -> None:
    """When the store gave numbers back, all are asked for anew and markers still reach them."""
    bench = Bench()
    await bench.scrape("a 1\nb 2\nc 3\n")
    bench.recorder.lose()
    assert await bench.scrape("a 1\nb 3\n") == {
        f"a{SUFFIX}": (T + 15_000, 1.0),
        f"b{SUFFIX}": (T + 15_000, 3.0),
        f"c{SUFFIX}": (T + 15_000, STALE),
    }
    bench.recorder.lose()
    bench.target.answer = Fetched(failure=Failure.TIMEOUT, error="late")
    assert len(await bench.scrape()) == 2
    assert bench.recorder.report()["up"] == 0.0


async def test_series_over_the_stores_limit() -> None:
    """A scrape that brings a series for which there is no room fails, and tells so by `up`."""
    bench = Bench()
    bench.recorder.most = 6
    assert len(await bench.scrape("a 1\n")) == 1
    stale = await bench.scrape("a 1\nb 2\n")
    assert stale == {f"a{SUFFIX}": (T + 15_000, STALE)}
    assert bench.scraper.status.failure is Failure.SERIES_LIMIT
    assert "no room for 1 of 2 series" in bench.scraper.status.last_error
    assert bench.recorder.report()["up"] == 0.0
    assert len(await bench.scrape("a 1\n")) == 1
    assert bench.recorder.report()["up"] == 1.0


async def test_exemplars_are_counted() -> None:
    """None are kept, and that is no secret."""
    bench = Bench()
    body = 'a_total{b="x"} 1 # {t="1"} 2\na_total{b="y"} 1 # {} 2\n# EOF\n'
    await bench.scrape(body, content_type="application/openmetrics-text")
    assert len(await bench.scrape(body, content_type="application/openmetrics-text")) == 2
    assert bench.scraper_shared.metrics.exemplars._value.get() == 4


async def test_full_queue() -> None:
    """A store that takes no more is an error of the scrape, which goes on at its next tick."""
    bench = Bench()
    bench.recorder.full = True
    bench.target.serve("a 1\n")
    await bench.scraper.scrape(T)
    assert bench.scraper.status.failure is Failure.OVERLOAD
    bench.recorder.full = False
    assert f"a{SUFFIX}" in await bench.scrape()


async def test_end_marks_everything() -> None:
    """A target that is gone leaves markers on its series and on its report."""
    bench = Bench()
    bench.scraper.end(T)
    assert bench.recorder.writes == []
    await bench.scrape("a 1\n")
    bench.scraper.end(T + 1)
    stored = bench.recorder.last(reports=True)
    assert len(stored) == 6
    assert set(stored.values()) == {(T + 1, STALE)}


@pytest.mark.parametrize(
    "changed",
    [
        lambda job: ScrapeJob(job.key, job.url, job.labels, 5_000, 1_000, job.config),
        lambda job: ScrapeJob(
            job.key, job.url, job.labels, 15_000, 1_000, ScrapeConfig("j", sample_limit=9)
        ),
    ],
)
async def test_changed_job_goes_on(changed: Callable[[ScrapeJob], ScrapeJob]) -> None:
    """A change that leaves the labels alone leaves the series alone."""
    bench = Bench()
    await bench.scrape("a 1\nb 1\n")
    bench.scraper.change(changed(bench.job))
    assert await bench.scrape("a 2\n") == {
        f"a{SUFFIX}": (T + 15_000, 2.0),
        f"b{SUFFIX}": (T + 15_000, STALE),
    }


async def test_changed_labels() -> None:
    """Under new labels the series of the old ones are marked, those of the report too."""
    bench = Bench()
    await bench.scrape("a 1\n")
    bench.scraper.change(
        ScrapeJob("k", "u", Labels({"job": "new"}), 15_000, 1_000, bench.job.config)
    )
    await bench.scrape("a 2\n")
    stored = bench.recorder.last(reports=True)
    assert stored[f"a{SUFFIX}"] == (T + 15_000, STALE)
    assert stored['a{job="new"}'] == (T + 15_000, 2.0)
    assert stored[f"up{SUFFIX}"] == (T + 15_000, STALE)
    assert stored['up{job="new"}'] == (T + 15_000, 1.0)
    assert len(await bench.scrape()) == 1


async def test_extra_metrics() -> None:
    """extra_scrape_metrics adds time-out, limit and size."""
    bench = Bench(extra_scrape_metrics=True, sample_limit=5)
    stored = await bench.scrape("a 1\n")
    assert stored[f"scrape_timeout_seconds{SUFFIX}"] == (T, 1.0)
    assert stored[f"scrape_sample_limit{SUFFIX}"] == (T, 5.0)
    assert stored[f"scrape_body_size_bytes{SUFFIX}"] == (T, 4.0)
    bench.target.answer = Fetched(failure=Failure.SIZE, error="too large")
    stored = await bench.scrape()
    assert stored[f"scrape_body_size_bytes{SUFFIX}"] == (T + 15_000, -1.0)


async def test_large_body_is_read_in_a_thread() -> None:
    """A large body comes to the same as a small one."""
    bench = Bench()
    body = "".join(f'a{{n="{n}"}} {n}\n' for n in range(3000))
    assert len(await bench.scrape(body)) == 3000
    assert len(await bench.scrape(body[: len(body) // 2].rpartition("\n")[0])) == 3000


async def test_fault_of_our_own() -> None:
    """An error of our own is counted and told, and the next scrape is as if nothing was."""
    bench = Bench()

    async def broken() -> Fetched:
        raise RuntimeError("oh")

    shared = replace(bench.scraper_shared, fetch=lambda job: broken)
    bench.scraper = TargetScraper(bench.job, shared)
    await bench.scraper.scrape(T)
    assert bench.scraper.status.failure is Failure.INTERNAL
    assert bench.recorder.writes == []
