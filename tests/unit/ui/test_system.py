"""The page of the process: health, numbers, the configuration in force and why one was refused."""

import json
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.api.surface import Check
from controlplane.model.duration import MINUTE
from controlplane.model.member import Member
from controlplane.model.share import ALL_ROLES
from controlplane.ui.pages.system_view import Loop, bytes_in, loops, measures, own_values, size
from tests.unit.ui.console import console, words
from tests.unit.ui.samples import put


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5.0 TiB")],
)
def test_bytes_as_people_read_them(amount: float, text: str) -> None:
    """In the largest unit that there is at least one of."""
    assert size(amount) == text


def test_what_is_wrong_with_loops_comes_first() -> None:
    """Those that do not run, then those that were started anew."""
    registry = CollectorRegistry()
    up = Gauge("controlplane_task_up", "x", ["task"], registry=registry)
    restarts = Counter("controlplane_task_restarts", "x", ["task"], registry=registry)
    for name, running, often in (("a", 1, 0), ("b", 1, 2), ("c", 0, 1)):
        up.labels(name).set(running)
        restarts.labels(name).inc(often)
    values = own_values(registry, ["controlplane_task_up", "controlplane_task_restarts_total"])
    assert loops(values) == [Loop("c", False, 1), Loop("b", True, 2), Loop("a", True, 0)]


def test_the_size_of_a_directory(tmp_path: Path) -> None:
    """All files below it; without one it is nothing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    assert bytes_in(tmp_path) == 8
    assert bytes_in(tmp_path / "nowhere") == 0


async def test_the_last_hour_is_read_from_our_own_samples(tmp_path: Path) -> None:
    """The newest value in words, and its course; what was not measured is a dash."""
    async with console(tmp_path) as reader:
        now = reader.now
        own = {"__name__": "process_resident_memory_bytes", "job": "controlplane"}
        samples = [(now - age * MINUTE, float(age << 20)) for age in range(30, 0, -1)]
        await put(
            reader,
            ({**own, "instance": 'te"st'}, samples),
            ({**own, "instance": "other"}, [(now - MINUTE, 9.0)]),
        )
        found = {each.key: each for each in measures(reader.on.engine, 'te"st', now)}
    assert found["memory"].value in ("1.0 MiB", "2.0 MiB")
    assert len(found["memory"].course) == 61
    assert (found["series"].value, found["series"].course) == ("–", ())


async def test_who_is_alive_is_not_known_without_redis(tmp_path: Path) -> None:
    """The list of replicas says that it is an old one, for as long as Redis is away."""
    async with console(tmp_path) as reader:
        redis = Gauge("controlplane_redis_up", "x", registry=reader.on.registry)
        redis.set(0)
        text = words(await reader.get("/system"))
        assert "Redis does not answer" in text
        assert "was alive test" in text
        redis.set(1)
        assert "Redis does not answer" not in words(await reader.get("/system"))


async def test_replicas_of_two_configurations_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its version and the beginning of its digest; one that says neither has none."""
    old, new, none = (
        Member(name, "1", ALL_ROLES, joined_at=1, version=version, config_digest=digest)
        for name, version, digest in (("a", "1.0", "0" * 64), ("b", "1.1", "f" * 64), ("c", "", ""))
    )
    async with console(tmp_path) as reader:
        monkeypatch.setattr(type(reader.on), "replicas", staticmethod(lambda: (old, new, none)))
        text = words(await reader.get("/system"))
        assert "The replicas differ in configuration" in text
        assert "Version 1.0 · configuration 000000000000 · since" in text
        assert "Version 1.1 · configuration ffffffffffff · since" in text
        monkeypatch.setattr(type(reader.on), "replicas", staticmethod(lambda: (old, none)))
        assert "differ in configuration" not in words(await reader.get("/system"))


async def test_the_digest_is_of_the_configuration_in_force(tmp_path: Path) -> None:
    """A file that is taken has another one told at once; one that is refused has not."""
    path, digests = tmp_path / "controlplane.yml", []
    async with console(tmp_path) as reader:
        good = path.read_text()
        for text in (good, '{"nonsense": 1}', good.replace("1s", "2s")):
            path.write_text(text)
            await reader.send("/system", {"do": "reload"})
            answer = await reader.client.get("/api/v1/replicas")
            digests.append(answer.json()["items"][0]["config_digest"])
            assert digests[-1] == reader.on.standing().digest
    assert digests[0] == digests[1] != digests[2]


async def test_the_process_tells_of_itself(tmp_path: Path) -> None:
    """Health, tasks, version, log, and what was set at the start."""
    async with console(tmp_path) as reader:
        text = words(await reader.get("/system"))
        part = await reader.get("/system?part=health")
    assert "● ready database" in text
    assert "background tasks run" in text
    assert "Replica test" in text
    assert "Log of samples" in text
    assert "not needed: this machine alone is answered" in text
    assert "storage.tsdb.retention.time 15d" in text
    assert "<html" not in part


async def test_the_configuration_is_shown_without_secrets(tmp_path: Path) -> None:
    """All that is in force, with defaults; a secret is struck out."""
    secret = "hunter2hunter2hunter2hunter2"
    pager = {"name": "ops", "pagerduty_configs": [{"routing_key": secret}]}
    async with console(tmp_path, receivers=[pager]) as reader:
        page = await reader.get("/system")
    assert secret not in page
    assert "routing_key: <secret>" in words(page)
    assert "In force" in page


async def test_a_refused_file_says_why(tmp_path: Path) -> None:
    """Line by line, until a good one is loaded; what was in force stays so."""
    path = tmp_path / "controlplane.yml"
    async with console(tmp_path) as reader:
        good = path.read_text()
        path.write_text(json.dumps({"nonsense": "<script>"}))
        await reader.send("/system", {"do": "reload"})
        bad = await reader.get("/system")
        path.write_text(good)
        await reader.send("/system", {"do": "reload"})
        again = words(await reader.get("/system"))
        await reader.send("/system", {"do": "explode"}, 422)
    assert "The file was refused." in bad
    assert "The last try was refused" in bad
    assert "controlplane.yml:1" in bad
    assert "nonsense" in bad
    assert "The file is in force." in again
    assert "The last try was refused" not in again


async def test_a_dependency_that_is_down_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check that fails, and its words."""

    async def down() -> str:
        return "no <room> left"

    async with console(tmp_path) as reader:
        monkeypatch.setitem(cast(dict[str, Check], reader.on.checks), "store", down)
        page = await reader.get("/system")
    assert "<room>" not in page
    assert "▲ not ready store no <room> left" in words(page)
