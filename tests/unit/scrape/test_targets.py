"""From configurations to jobs: defaults, relabelling, URLs, limits, files."""

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.duration import SECOND
from controlplane.model.labels import Labels
from controlplane.model.relabel import Action, RelabelConfig
from controlplane.scrape.discovery import FileDiscovery, TargetGroup, parse_groups, static_groups
from controlplane.scrape.job import ScrapeJob
from controlplane.scrape.options import FileSdConfig, ScrapeConfig, StaticConfig
from controlplane.scrape.targets import discovered_labels, job_of, targets_of
from tests.support.clock import ManualClock


def config(**fields: Any) -> ScrapeConfig:
    return ScrapeConfig("node", **fields)


def only_job(given: ScrapeConfig, labels: dict[str, str]) -> ScrapeJob:
    job = job_of(given, discovered_labels(given, {"__address__": "h:1", **labels}))
    assert job is not None
    return job


def test_defaults() -> None:
    """Without relabelling a target has job, instance and its group's labels."""
    job = only_job(config(), {"env": "prod", "__meta_x": "y", "__tmp": "z"})
    assert job.labels == Labels({"job": "node", "instance": "h:1", "env": "prod"})
    assert (job.url, job.interval, job.timeout) == ("http://h:1/metrics", 60_000, 10_000)
    assert job.discovered.value("__meta_x") == "y"
    assert job.discovered.value("__scrape_interval__") == "1m"


def test_url() -> None:
    """Scheme, path and parameters come from the configuration and from labels, escaped."""
    given = config(
        scheme="https", metrics_path="m x", params={"b": ("1", "2 &"), "a": ("0",), "none": ()}
    )
    labels = {"__param_b": "9", "__param_c": "é"}
    assert only_job(given, labels).url == "https://h:1/m%20x?a=0&b=9&b=2+%26&c=%C3%A9"
    assert only_job(given, {"__scheme__": "http", "__metrics_path__": "/p"}).url == (
        "http://h:1/p?a=0&b=1&b=2+%26"
    )


def test_relabelling_moves_a_target() -> None:
    """Relabelling may change address, instance, job, interval and time-out."""

    def put(target: str, value: str) -> RelabelConfig:
        return RelabelConfig(target_label=target, replacement=value)

    steps = (
        RelabelConfig(source_labels=("__address__",), target_label="__param_target"),
        RelabelConfig(source_labels=("__param_target",), target_label="instance"),
        put("__address__", "blackbox:9115"),
        put("__scrape_interval__", "30s"),
        put("__scrape_timeout__", "500ms"),
        put("job", "probe"),
    )
    job = only_job(config(relabel_configs=steps), {})
    assert job.url == "http://blackbox:9115/metrics?target=h%3A1"
    assert (job.interval, job.timeout) == (30 * SECOND, 500)
    assert job.labels == Labels({"job": "probe", "instance": "h:1"})


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"__address__": ""}, "no address"),
        ({"__address__": "h/x"}, "not a valid hostname"),
        ({"__scrape_interval__": "soon"}, "not a valid duration"),
        ({"__scrape_interval__": "0"}, "cannot be 0"),
        ({"__scrape_timeout__": "0s"}, "cannot be 0"),
        ({"__scrape_timeout__": "2m"}, "cannot be greater"),
        ({"a": "\udcff"}, "UTF-8"),
    ],
)
def test_no_target(labels: dict[str, str], reason: str) -> None:
    """Labels that cannot be scraped are refused with a reason, and the others go on."""
    given = config()
    with pytest.raises(InvalidInput, match=reason):
        job_of(given, discovered_labels(given, {"__address__": "h:1", **labels}))
    group = TargetGroup(("ok:1",))
    bad = TargetGroup((labels.get("__address__", "h:1"),), Labels(labels).drop("__address__"))
    assert [job.url for job in targets_of(given, [bad, group]).jobs] == ["http://ok:1/metrics"]


def test_dropped_and_doubled() -> None:
    """Dropped targets are kept to be shown, up to a limit; a target named twice counts once."""
    keep = RelabelConfig(Action.KEEP, source_labels=("__address__",), regex="a:.*")
    given = config(
        relabel_configs=(keep,),
        keep_dropped_targets=1,
        static_configs=(StaticConfig(("a:1", "a:1", "b:1", "c:1")),),
    )
    targets = targets_of(given, static_groups(given))
    assert [job.url for job in targets.jobs] == ["http://a:1/metrics"]
    assert [labels.value("__address__") for labels in targets.dropped] == ["b:1"]
    assert targets.dropped_count == 2


def test_target_limit() -> None:
    """Over target_limit every job is refused."""
    given = config(target_limit=1, static_configs=(StaticConfig(("a:1", "b:1")),))
    jobs = targets_of(given, static_groups(given)).jobs
    assert all(job.refused.startswith("target_limit exceeded") for job in jobs)
    assert len(jobs) == 2


def test_keys_tell_targets_apart() -> None:
    """The key follows from what names the series and where they come from, and nothing else."""
    first = only_job(config(), {})
    assert first.key == only_job(config(scrape_timeout=1_000), {"__meta_x": "1"}).key
    for other in ({"a": "b"}, {"__metrics_path__": "/x"}, {"__address__": "g:1"}):
        assert first.key != only_job(config(), other).key


@pytest.mark.parametrize(
    "text",
    [
        b"{", b"{}", b'["a"]', b'[{"targets": "a"}]', b'[{"targets": [1]}]', b'[{"hosts": []}]',
        b'[{"labels": []}]', b'[{"labels": {"a": 1}}]', b"\xff",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["t.json", "t.yml"])
def test_unusable_files(text: bytes, name: str) -> None:
    """A file that is no list of groups is refused as a whole."""
    with pytest.raises(InvalidInput, match=r"t\."):
        parse_groups(text, name)


@pytest.mark.parametrize(("name", "depth"), [("t.json", 100_000), ("t.yml", 600)])
def test_a_file_as_deep_as_a_well(name: str, depth: int) -> None:
    """What is nested deeper than a reader can follow is refused like any other nonsense."""
    with pytest.raises(InvalidInput, match=r"t\."):
        parse_groups(b"[" * depth, name)


def test_files_in_yaml() -> None:
    """YAML and JSON say the same; the file's path becomes a label."""
    expected = [TargetGroup(("a:1",), Labels({"x": "y", "__meta_filepath": "t.yml"}))]
    assert parse_groups(b"- targets: ['a:1']\n  labels: {x: y}\n", "t.yml") == expected


async def test_file_discovery(tmp_path: Path) -> None:
    """Changed files are read again, broken ones keep their groups, removed ones have none."""
    clock = ManualClock()
    given = FileSdConfig((str(tmp_path / "*.json"),))
    files = FileDiscovery(clock)
    files.watch([given])

    def addresses() -> list[str]:
        return [address for group in files.groups(given) for address in group.addresses]

    def write(name: str, *targets: str) -> None:
        (tmp_path / name).write_text(json.dumps([{"targets": targets}]))

    assert not await files.refresh()
    write("b.json", "b:1")
    write("a.json", "a:1")
    assert await files.refresh()
    assert addresses() == ["a:1", "b:1"]
    assert not await files.refresh()
    write("a.json", "a:1", "a:2")
    assert await files.refresh()
    assert addresses() == ["a:1", "a:2", "b:1"]
    (tmp_path / "a.json").write_text("[broken")
    assert not await files.refresh()
    assert files.failures == 1
    assert addresses() == ["a:1", "a:2", "b:1"]
    (tmp_path / "b.json").unlink()
    assert await files.refresh()
    assert addresses() == ["a:1", "a:2"]
    files.watch([])
    assert await files.refresh()
    assert addresses() == []


async def test_files_are_read_anew_at_their_interval(tmp_path: Path) -> None:
    """refresh_interval reads a file even when nothing tells that it changed."""
    clock = ManualClock()
    given = FileSdConfig((str(tmp_path / "a.json"),), refresh_interval=60_000)
    files = FileDiscovery(clock)
    files.watch([given])
    (tmp_path / "a.json").write_text("[broken")
    await files.refresh()
    assert files.failures == 1
    (tmp_path / "a.json").write_text("[]")
    await files.refresh()
    stamps = dict(files._stamps)
    files._stamps = dict.fromkeys(stamps, (0, 0, 0))
    await clock.advance(61)
    await files.refresh()
    assert files._stamps == stamps
