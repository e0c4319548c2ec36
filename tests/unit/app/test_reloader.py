"""Reloads: a bad file changes nothing, and says why."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.reloader import Reloader
from controlplane.config.config import Config
from controlplane.config.loader import load
from controlplane.errors import ConfigError, InvalidInput, Unavailable
from tests.support.clock import ManualClock

GOOD = "targets: [{name: a, url: 'http://127.0.0.1:1/'}]\n"


class Changes:
    """Notes what is put in force; fails when told to."""

    def __init__(self) -> None:
        self.seen: list[Config] = []
        self.failing = False

    async def __call__(self, _old: Config, new: Config) -> None:
        if self.failing:
            raise Unavailable("the database is away")
        self.seen.append(new)


def _reloader(path: Path | None, changes: Changes, registry: CollectorRegistry) -> Reloader:
    config = Config() if path is None else load(path)
    return Reloader(
        path, config, changes, clock=ManualClock(), registry=registry, told=lambda good: None
    )


async def test_a_good_file_is_put_in_force(tmp_path: Path) -> None:
    """A changed file becomes the configuration in force."""
    path, changes, registry = tmp_path / "c.yml", Changes(), CollectorRegistry()
    path.write_text(GOOD)
    reloader = _reloader(path, changes, registry)
    path.write_text(GOOD.replace("name: a", "name: b"))
    await reloader.reload()
    assert [target.name for target in reloader.config.targets] == ["b"]
    assert changes.seen == [reloader.config]


async def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    """Errors leave the old configuration in force, and the gauge at 0."""
    path, changes, registry = tmp_path / "c.yml", Changes(), CollectorRegistry()
    path.write_text(GOOD)
    reloader = _reloader(path, changes, registry)
    before = reloader.config
    path.write_text("targets: 5\nunknown: 1\n")
    with pytest.raises(ConfigError, match=r"c\.yml:2"):
        await reloader.reload()
    assert reloader.config is before
    assert changes.seen == []
    assert registry.get_sample_value("controlplane_config_last_reload_successful") == 0


async def test_another_database_needs_a_restart(tmp_path: Path) -> None:
    """The database cannot be changed under a running service: that file is refused."""
    path, changes = tmp_path / "c.yml", Changes()
    path.write_text(GOOD)
    reloader = _reloader(path, changes, CollectorRegistry())
    path.write_text(GOOD + f"storage: {{url: 'sqlite:///{tmp_path}/x.db'}}\n")
    with pytest.raises(ConfigError, match="restart"):
        await reloader.reload()


@pytest.mark.parametrize(
    ("cluster", "others", "reason"),
    [
        ("url: redis://elsewhere", "", "another cluster needs a restart"),
        ("url: redis://redis, lease: 20s", "", "another cluster needs a restart"),
        ("url: redis://redis", "datasource", "datasource: without it each replica"),
        ("url: redis://redis", "remote_write", "remote_write: without it each replica"),
    ],
)
async def test_what_replicas_share_is_not_changed_under_them(
    tmp_path: Path, cluster: str, others: str, reason: str
) -> None:
    """Another Redis needs a restart, and no reload makes replicas read two stores."""
    path, changes = tmp_path / "c.yml", Changes()
    parts = {
        "cluster": "cluster: {url: redis://redis}",
        "datasource": "datasource: {url: 'http://metrics'}",
        "remote_write": "remote_write: [{url: 'http://metrics/write'}]",
    }
    path.write_text("\n".join(parts.values()))
    reloader = _reloader(path, changes, CollectorRegistry())
    await reloader.reload()
    parts["cluster"] = f"cluster: {{{cluster}}}"
    path.write_text("\n".join(text for key, text in parts.items() if key != others))
    with pytest.raises(ConfigError, match=reason):
        await reloader.reload()
    assert len(changes.seen) == 1


async def test_what_fails_while_changing_leaves_the_old(tmp_path: Path) -> None:
    """A database that is away in mid-reload leaves the old configuration in force."""
    path, changes = tmp_path / "c.yml", Changes()
    path.write_text(GOOD)
    reloader = _reloader(path, changes, CollectorRegistry())
    before, changes.failing = reloader.config, True
    path.write_text(GOOD.replace("name: a", "name: b"))
    with pytest.raises(Unavailable):
        await reloader.reload()
    assert reloader.config is before


async def test_without_a_file_there_is_nothing_to_reload() -> None:
    """A service that was started without a file says how to have one."""
    reloader = _reloader(None, Changes(), CollectorRegistry())
    with pytest.raises(InvalidInput, match="--config"):
        await reloader.reload()


async def test_how_the_last_try_went_can_be_read(tmp_path: Path) -> None:
    """A refused file is told line by line beside the one in force; a good one clears it."""
    path, changes, registry = tmp_path / "c.yml", Changes(), CollectorRegistry()
    path.write_text(GOOD)
    reloader = _reloader(path, changes, registry)
    first = reloader.standing()
    assert (first.path, first.refused) == (str(path), ())
    assert first.loaded_at == first.tried_at
    path.write_text("targets: 5\nunknown: 1\n")
    with pytest.raises(ConfigError):
        await reloader.reload()
    bad = reloader.standing()
    assert bad.digest == first.digest
    assert len(bad.refused) == 2
    assert "c.yml:2" in bad.refused[1]
    path.write_text(GOOD.replace("name: a", "name: b"))
    await reloader.reload()
    assert reloader.standing().refused == ()
    assert reloader.standing().digest != first.digest
