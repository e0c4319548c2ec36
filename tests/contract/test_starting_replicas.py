"""Replicas that start on one PostgreSQL: they find each other, or do not start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.heartbeat import Heartbeat
from controlplane.app.sharing import Sharing, build_sharing
from controlplane.app.supervisor import Supervisor
from controlplane.clock import SystemClock
from controlplane.cluster.options import ClusterOptions
from controlplane.config.config import Config
from controlplane.errors import Conflict
from controlplane.model.secret import Secret
from controlplane.model.share import Role
from controlplane.settings.settings import Settings
from controlplane.storage.database import Database
from controlplane.storage.replicas import SqlReplicas
from controlplane.tsdb.remote.options import Datasource, RemoteWrite
from tests.support import cluster, valkey
from tests.support.clock import ManualClock
from tests.support.cluster import member

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_CLOCK = SystemClock()
_ALONE = Config()


def _clustered(url: str = "") -> Config:
    redis = Secret(url or valkey.server().url)
    return Config(
        cluster=ClusterOptions(redis, cluster.prefix(), lease=1_500, renew=300),
        datasource=Datasource("http://metrics"),
        remote_write=(RemoteWrite("http://metrics/write"),),
    )


class Process:
    """One replica, started and ended."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self._database = database
        self._stack = stack
        self._supervisors: list[Supervisor] = []

    async def start(self, name: str, config: Config) -> Sharing:
        """Return a replica that runs until the test ends, or until `stop`."""
        registry = CollectorRegistry()
        sharing = await build_sharing(
            Settings(replica=name),
            config,
            self._database,
            clock=_CLOCK,
            registry=registry,
            stack=self._stack,
        )
        await sharing.joined()
        supervisor = Supervisor(_CLOCK, registry)
        self._supervisors.append(supervisor)
        self._stack.push_async_callback(supervisor.stop)
        sharing.start(supervisor)
        return sharing

    async def stop(self, number: int) -> None:
        """End one well."""
        await self._supervisors[number].stop()


@pytest.fixture
async def process(database: Database) -> AsyncIterator[Process]:
    """Give what starts replicas on one database."""
    async with AsyncExitStack() as stack:
        yield Process(database, stack)


def _beating(database: Database, name: str, *, clustered: bool) -> Heartbeat:
    return Heartbeat(
        SqlReplicas(database), member(name), clustered=clustered, clock=_CLOCK, period=200
    )


async def test_two_that_know_nothing_of_each_other(database: Database, process: Process) -> None:
    """A second replica without Redis does not start, and says why; the first goes on."""
    first = await process.start("a", _quick(_ALONE))
    with pytest.raises(Conflict, match="replica 'a' runs on this database, and 'b' has no cluster"):
        await process.start("b", _quick(_ALONE))
    assert await first.ready() == ""


async def test_one_that_does_not_know_of_the_cluster(database: Database, process: Process) -> None:
    """Whichever of two has no Redis, the second to come does not start."""
    await process.start("a", _clustered())
    with pytest.raises(Conflict, match=r"'b' has no cluster\.url"):
        await process.start("b", _quick(_ALONE))


async def test_a_cluster_that_meets_one_alone(database: Database, process: Process) -> None:
    """The one that was there is named as the one that lacks Redis."""
    await process.start("a", _quick(_ALONE))
    with pytest.raises(Conflict, match=r"and 'a' has no cluster\.url"):
        await process.start("b", _clustered())


async def test_who_died_a_moment_ago_is_outwaited(database: Database) -> None:
    """A replica that is restarted after a crash starts, once its former self has missed a beat."""
    await _beating(database, "a", clustered=False).begin()
    begin = _CLOCK.monotonic()
    await _beating(database, "a", clustered=False).begin()
    assert 1.0 < _CLOCK.monotonic() - begin < 10


async def test_who_said_goodbye_is_not_waited_for(database: Database) -> None:
    """After a good end the next one starts at once."""
    first = _beating(database, "a", clustered=False)
    await first.begin()
    await first.leave()
    again = Heartbeat(  # a wait would never end
        SqlReplicas(database), member("a"), clustered=False, clock=ManualClock()
    )
    async with asyncio.timeout(10):
        await again.begin()


async def test_a_stranger_is_noticed_later_too(database: Database) -> None:
    """Who comes all the same, after a pause for example, makes a replica not ready."""
    first = _beating(database, "a", clustered=False)
    await first.begin()
    running = asyncio.create_task(first.run())
    await SqlReplicas(database).beat(member("b"), clustered=False)
    async with asyncio.timeout(10):
        while first.strangers != ("b",):
            await _CLOCK.sleep(0.02)
    running.cancel()


async def test_two_of_one_cluster_share_the_work(database: Database, process: Process) -> None:
    """They see each other, are ready, and have each key once; who ends leaves all to the other."""
    config = _clustered()
    first, second = await process.start("a", config), await process.start("b", config)
    keys = [str(number) for number in range(50)]
    async with asyncio.timeout(20):
        while not _once(keys, first, second) or len(first.members()) < 2:
            await _CLOCK.sleep(0.05)
    assert [each.name for each in first.members()] == ["a", "b"]
    assert await first.ready() == await second.ready() == ""
    await process.stop(1)
    async with asyncio.timeout(10):
        while not _once(keys, first):
            await _CLOCK.sleep(0.05)


def _once(keys: list[str], *sharings: Sharing) -> bool:
    shares = [sharing.share(Role.EVALUATOR) for sharing in sharings]
    return all(sum(share.owns(key) for share in shares) == 1 for key in keys) and all(
        any(share.owns(key) for key in keys) for share in shares
    )


async def test_two_of_one_name_in_a_cluster(database: Database, process: Process) -> None:
    """The second one does not start while the first one lives."""
    config = _clustered()
    await process.start("a", config)
    with pytest.raises(Conflict, match="another process is called 'a'"):
        await process.start("a", config)


async def test_ready_once_it_is_a_member(database: Database, process: Process) -> None:
    """Without Redis a replica starts and is not ready; once it was a member, Redis may go."""
    with valkey.started() as redis:
        redis.stop()
        sharing = await process.start("a", _clustered(redis.url))
        assert "redis does not answer" in await sharing.ready()
        redis.start()
        async with asyncio.timeout(10):
            while await sharing.ready():
                await _CLOCK.sleep(0.05)
        redis.stop()
        await _CLOCK.sleep(2)
        assert await sharing.ready() == ""


async def test_ready_also_where_nobody_asked_before(database: Database, process: Process) -> None:
    """A member that is asked for the first time while Redis is away is ready like all others."""
    with valkey.started() as redis:
        sharing = await process.start("a", _clustered(redis.url))
        redis.stop()
        await _CLOCK.sleep(2)
        assert await sharing.ready() == ""


def _quick(config: Config) -> Config:
    """Return a configuration whose replicas are seen often."""
    return replace(config, cluster=replace(config.cluster, lease=1_500, renew=300))
