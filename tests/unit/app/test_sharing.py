"""What replicas of one service must agree on before any of them starts."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.sharing import build_sharing, refuse
from controlplane.clock import SystemClock
from controlplane.cluster.options import ClusterOptions
from controlplane.config.config import Config
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.model.share import WHOLE, Role
from controlplane.settings.settings import Settings
from controlplane.storage.database import Database
from controlplane.tsdb.remote.options import Datasource, RemoteWrite
from tests.support import warm
from tests.support.sqlite import migrated

_ALONE = Config()
_CLUSTER = Config(
    cluster=ClusterOptions(Secret("redis://:hunter2@redis")),
    datasource=Datasource("http://metrics"),
    remote_write=(RemoteWrite("http://metrics/write"),),
)
_SETTINGS = Settings(replica="a")


def _refusal(settings: Settings, config: Config, *, sqlite: bool = False) -> str:
    with pytest.raises(InvalidInput) as caught:
        refuse(settings, config, sqlite=sqlite)
    return caught.value.reason


def _doing(*roles: Role) -> Settings:
    return replace(_SETTINGS, roles=frozenset(roles))


def test_one_replica_needs_nothing() -> None:
    """Alone on either database a replica may start, and in a cluster that has all it needs."""
    refuse(_SETTINGS, _ALONE, sqlite=True)
    refuse(_SETTINGS, _ALONE, sqlite=False)
    refuse(_SETTINGS, _CLUSTER, sqlite=False)


def test_a_part_of_the_work_needs_others() -> None:
    """Without Redis nobody would do what this replica does not."""
    reason = _refusal(_doing(Role.API, Role.PROBER), _ALONE)
    assert reason.startswith("--role: nobody would be evaluator, notifier")
    refuse(_doing(Role.API, Role.PROBER), _CLUSTER, sqlite=False)


def test_several_replicas_need_postgresql() -> None:
    """A file is nothing to share."""
    assert "need one PostgreSQL" in _refusal(_SETTINGS, _CLUSTER, sqlite=True)


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (replace(_CLUSTER, datasource=None), "datasource missing"),
        (replace(_CLUSTER, remote_write=()), "remote_write missing"),
        (replace(_CLUSTER, datasource=None, remote_write=()), "datasource and remote_write"),
    ],
)
def test_several_replicas_need_one_store(config: Config, missing: str) -> None:
    """Each would read what only it has written; only who notifies reads nothing."""
    assert missing in _refusal(_SETTINGS, config)
    assert missing in _refusal(_doing(Role.API), config)
    assert "hunter2" not in _refusal(_SETTINGS, config)
    refuse(_doing(Role.NOTIFIER), config, sqlite=False)


def test_a_name_that_could_be_two_is_refused() -> None:
    """Owners are written as name/incarnation."""
    assert "no /" in _refusal(replace(_SETTINGS, replica="a/b"), _CLUSTER)


async def test_on_sqlite_everything_is_ours(tmp_path: Path) -> None:
    """The small size asks nobody, registers nothing, and is ready."""
    database, registry = Database(migrated(tmp_path / "controlplane.db")), CollectorRegistry()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        sharing = await build_sharing(
            _SETTINGS, _ALONE, database, clock=SystemClock(), registry=registry, stack=stack
        )
        assert all(sharing.share(role) is WHOLE for role in Role)
        assert sharing.gained_since(Role.PROBER, "x") is None
        assert [member.name for member in sharing.members()] == ["a"]
        assert await sharing.ready() == ""
        assert list(registry.collect()) == []


def test_one_replica_imports_no_client_of_redis() -> None:
    """Half a second and some megabytes are for those who have a Redis."""
    there = warm.imported()
    assert "controlplane.app.build" in there
    assert "redis" not in there
