"""Several replicas share the work out: a real Valkey says who lives, the database who owns what."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import Clock, SystemClock
from controlplane.cluster.connection import Connection
from controlplane.cluster.membership import Membership
from controlplane.cluster.metrics import ClusterMetrics
from controlplane.cluster.options import ClusterOptions
from controlplane.cluster.shares import Shares
from controlplane.errors import Fenced, Unavailable
from controlplane.model.member import Claimed, Ownership
from controlplane.model.share import ALL_ROLES, SHARDS, Role, shard_of
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.replicas import SqlReplicas
from controlplane.storage.shares import SqlShares
from tests.support import cluster, valkey
from tests.support.clock import ManualClock

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_CLOCK = SystemClock()
# One key for each shard.
_KEYS = {shard_of(str(number)): str(number) for number in range(4_000)}


@dataclass
class Replica:
    """One process of the service, without the service."""

    connection: Connection
    membership: Membership
    shares: Shares
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def owned(self, role: Role = Role.PROBER) -> set[int]:
        share = self.shares.share(role)
        return {shard for shard, key in _KEYS.items() if share.owns(key)}

    async def turn(self) -> None:
        """Look at everything once."""
        await self.membership.look()
        await self.shares.turn()

    def start(self) -> None:
        self.tasks = [asyncio.create_task(run()) for run in (self.membership.run, self.shares.run)]

    async def die(self) -> None:
        """Do nothing more, without a word."""
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.tasks = []

    async def end(self) -> None:
        """End well."""
        await self.die()
        await self.shares.drain()


class Store(SqlShares):
    """The shares in a database that can be unplugged, or lose the answer to a claim."""

    away = False
    mute = False

    async def claim(
        self, role: Role, wanted: Collection[int], me: str, *, alive: Collection[str], lease: int
    ) -> Mapping[int, Claimed]:
        taken = await super().claim(role, wanted, me, alive=alive, lease=lease)
        if self.mute:
            raise Unavailable("the answer is lost")
        return taken

    async def held(self) -> Sequence[Ownership]:
        if self.away:
            raise Unavailable("unplugged")
        return await super().held()


class House:
    """What replicas have in common."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store(database)
        self.options = ClusterOptions(prefix=cluster.prefix(), lease=1_500, renew=200)
        self.replicas: list[Replica] = []

    async def replica(
        self,
        name: str,
        *,
        clock: Clock = _CLOCK,
        roles: frozenset[Role] = ALL_ROLES,
        url: str = "",
    ) -> Replica:
        """Return a replica that has joined and does nothing yet."""
        connection = cluster.connect(url or valkey.server().url, clock)
        me = cluster.member(name, roles)
        membership = cluster.membership(connection, me, clock, self.options)
        await membership.join()
        metrics = ClusterMetrics(CollectorRegistry())
        shares = Shares(
            membership,
            self.store,
            clock=clock,
            options=self.options,
            metrics=metrics,
        )
        self.replicas.append(Replica(connection, membership, shares))
        return self.replicas[-1]


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    """Give a database and a place in Redis."""
    house = House(database)
    yield house
    for replica in house.replicas:
        await replica.die()
        await replica.connection.close()


async def _until_shared(*replicas: Replica, seconds: float = 15.0) -> None:
    """Return when the replicas own every shard between them, each once."""
    async with asyncio.timeout(seconds):
        while not _is_shared(*replicas):
            await _CLOCK.sleep(0.02)


def _is_shared(*replicas: Replica) -> bool:
    owned = [shard for replica in replicas for shard in replica.owned()]
    return len(owned) == SHARDS and len(set(owned)) == SHARDS


async def test_the_first_replica_has_everything(house: House) -> None:
    """Alone, a replica owns all shards of its roles after one turn, and can fence what it does."""
    alone = await house.replica("a", roles=frozenset({Role.PROBER, Role.API}))
    assert alone.owned() == set()
    await alone.turn()
    assert alone.owned() == set(range(SHARDS))
    assert alone.owned(Role.EVALUATOR) == set()
    share = alone.shares.share(Role.PROBER)
    assert len(share.fence(["x", "y"]).tokens) == 2
    with pytest.raises(Fenced):
        alone.shares.share(Role.EVALUATOR).fence(["x"])


async def test_a_newcomer_gets_its_part(house: House) -> None:
    """A second replica gets its shards within seconds, and neither has one of the other's."""
    first = await house.replica("a")
    first.start()
    await _until_shared(first)
    second = await house.replica("b")
    second.start()
    async with asyncio.timeout(15):
        while not second.owned():
            assert not first.owned() & second.owned()
            await _CLOCK.sleep(0)
    await _until_shared(first, second)
    assert 80 < len(first.owned()) < 176


async def test_nothing_is_let_go_before_it_is_quiet(house: House) -> None:
    """What a replica stops for another is told to its parts, and waited for, before it moves."""
    first = await house.replica("a")
    await first.turn()
    second = await house.replica("b")
    finished, stopped = asyncio.Event(), asyncio.Event()

    async def quiet() -> None:
        stopped.set()
        await finished.wait()

    first.shares.share(Role.PROBER).subscribe(lambda: told.append(len(first.owned())))
    first.shares.when_quiet(Role.PROBER, quiet)
    told: list[int] = []
    turning = asyncio.create_task(first.turn())
    await stopped.wait()
    assert told == [len(first.owned())]
    assert 0 < told[0] < SHARDS
    await second.turn()
    assert second.owned() == set()
    finished.set()
    await turning
    await second.turn()
    assert _is_shared(first, second)


async def test_no_role_waits_for_the_work_of_another(house: House) -> None:
    """Probes move while a page is on its way, and who takes them knows until when they went."""
    first = await house.replica("a")
    await first.turn()
    second = await house.replica("b")
    finished, until = asyncio.Event(), _CLOCK.now() - 60_000

    async def slow() -> None:
        await finished.wait()

    async def quick() -> int:
        return until

    first.shares.when_quiet(Role.EVALUATOR, slow)
    first.shares.when_quiet(Role.PROBER, quick)
    turning = asyncio.create_task(first.turn())
    async with asyncio.timeout(10):
        while not second.owned():
            await second.turn()
    gained = second.shares.share(Role.PROBER).gained_since
    assert {gained(_KEYS[shard]) for shard in second.owned()} == {until}
    assert second.owned(Role.EVALUATOR) == set()
    finished.set()
    await turning
    await second.turn()
    assert second.owned(Role.EVALUATOR) != set()


async def test_who_ends_well_leaves_at_once(house: House) -> None:
    """After a goodbye the others have everything long before a lease has ended."""
    house.options = replace(house.options, lease=60_000)
    first, second = await house.replica("a"), await house.replica("b")
    for replica in (first, second):
        replica.start()
    await _until_shared(first, second)
    had = second.owned()
    await second.end()
    assert second.owned() == set()
    await _until_shared(first)
    share = first.shares.share(Role.PROBER)
    since = [share.gained_since(_KEYS[shard]) for shard in had]
    assert all(each is not None and abs(each - _CLOCK.now()) < 5_000 for each in since)


async def test_who_dies_is_taken_over(house: House) -> None:
    """Within two leases of a death the others have what the dead one had."""
    first, second = await house.replica("a"), await house.replica("b")
    for replica in (first, second):
        replica.start()
    await _until_shared(first, second)
    had = second.owned()
    begin = _CLOCK.monotonic()
    await second.die()
    await _until_shared(first)
    assert _CLOCK.monotonic() - begin < 3.0 + 5.0  # and some for a busy machine
    share = first.shares.share(Role.PROBER)
    assert all(share.gained_since(_KEYS[shard]) is not None for shard in had)


async def test_a_claim_whose_answer_is_lost_is_a_take_over_all_the_same(house: House) -> None:
    """What is found to be ours at the next look may have been nobody's for a lease."""
    alone = await house.replica("a")
    house.store.mute = True
    await alone.turn()
    assert alone.owned() == set()
    house.store.mute = False
    await alone.turn()
    share = alone.shares.share(Role.PROBER)
    shard = min(alone.owned())
    since = share.gained_since(_KEYS[shard])
    assert since is not None
    assert house.options.lease <= _CLOCK.now() - since < house.options.lease + 10_000


async def test_a_paused_replica_owns_nothing_and_writes_nothing(house: House) -> None:
    """Who stood still for longer than its lease believes nothing that it knew before it looked."""
    clock = ManualClock()
    paused, other = await house.replica("a", clock=clock), await house.replica("b")
    await paused.turn()
    kept = min(paused.owned())
    fence = paused.shares.share(Role.PROBER).fence([_KEYS[kept]])
    await clock.advance(2)
    assert paused.owned() == set()
    with pytest.raises(Fenced):
        paused.shares.share(Role.PROBER).fence([_KEYS[kept]])
    other.start()
    await _until_shared(other)
    with pytest.raises(Fenced):
        async with house.database.begin() as connection:
            await check_fence(connection, fence)
    await paused.turn()
    assert paused.owned() == set()


async def test_a_pause_that_nobody_used_changes_nothing(house: House) -> None:
    """When nothing was taken over meanwhile, a replica goes on with what it had, same tokens.

    It knows since when it has done nothing.
    """
    clock = ManualClock()
    alone = await house.replica("a", clock=clock)
    await alone.turn()
    share = alone.shares.share(Role.PROBER)
    before, paused = share.fence(_KEYS.values()), clock.now()
    await clock.advance(60)
    await alone.turn()
    assert share.fence(_KEYS.values()) == before
    assert {share.gained_since(key) for key in _KEYS.values()} == {paused}


async def test_redis_away_everyone_goes_on(house: House) -> None:
    """Without Redis the shares stay as they are; when it is back, empty, nothing moves."""
    with valkey.started() as redis:
        first = await house.replica("a", url=redis.url)
        second = await house.replica("b", url=redis.url)
        for replica in (first, second):
            replica.start()
        await _until_shared(first, second)
        before = first.owned(), second.owned()
        redis.stop()
        for _ in range(25):  # longer than a lease
            await _CLOCK.sleep(0.1)
            assert (first.owned(), second.owned()) == before
        redis.start()
        async with asyncio.timeout(10):
            while not (first.membership.is_member and second.membership.is_member):
                await _CLOCK.sleep(0.02)
                assert (first.owned(), second.owned()) == before
        for _ in range(20):
            await _CLOCK.sleep(0.1)
            assert (first.owned(), second.owned()) == before


async def test_who_alone_is_cut_off_from_redis(house: House) -> None:
    """One that Redis has lost goes on while the database sees it, and stops when it does not."""
    with valkey.started() as redis:
        cut_off = await house.replica("a", url=redis.url)
        await cut_off.turn()
        fence = cut_off.shares.share(Role.PROBER).fence([_KEYS[0]])
        redis.stop()
        seen = SqlReplicas(house.database)
        await seen.beat(cut_off.membership.me, clustered=True)
        other = await house.replica("b")
        other.start()
        await _CLOCK.sleep(1)
        await cut_off.turn()
        assert other.owned() == set()
        assert cut_off.owned() == set(range(SHARDS))
        await _until_shared(other)  # nobody says any more that the one cut off is there
        with pytest.raises(Fenced):
            async with house.database.begin() as connection:
                await check_fence(connection, fence)
        await cut_off.turn()
        assert cut_off.owned() == set()


async def test_the_database_away_everyone_goes_on(house: House) -> None:
    """While the database does not answer the shares stay as they are, and nothing moves."""
    clock = ManualClock()
    alone = await house.replica("a", clock=clock)
    await alone.turn()
    house.store.away = True
    for _ in range(5):
        await clock.advance(1)
        await alone.turn()
        assert alone.owned() == set(range(SHARDS))
    await clock.advance(2)  # a pause, after which it cannot ask what became of it
    await alone.turn()
    assert alone.owned() == set()
    house.store.away = False
    await alone.turn()
    assert alone.owned() == set(range(SHARDS))


@pytest.mark.parametrize("seed", range(2))
async def test_in_any_order_no_shard_has_two_good_owners(house: House, seed: int) -> None:
    """Replicas that turn, pause, leave and come back in any order never own one shard together.

    Two may believe it, as one that is cut off cannot know; only one may write.
    """
    chance = random.Random(seed)
    clocks = {name: ManualClock() for name in "abc"}
    replicas = {name: await house.replica(name, clock=clocks[name]) for name in "abc"}
    share = Role.NOTIFIER
    for _ in range(60):
        name = chance.choice("abc")
        await clocks[name].advance(chance.choice((0.2, 0.5, 2.0)))
        if chance.random() < 0.1:
            await replicas[name].shares.drain()
            replicas[name] = await house.replica(name, clock=clocks[name])
        else:
            await replicas[name].turn()
        for shard in (0, 1, 2):
            good = [
                each
                for each in replicas.values()
                if shard in each.owned(share) and await _may_write(house, each, share, shard)
            ]
            assert len(good) <= 1


async def _may_write(house: House, replica: Replica, role: Role, shard: int) -> bool:
    fence = replica.shares.share(role).fence([_KEYS[shard]])
    try:
        async with house.database.begin() as connection:
            await check_fence(connection, fence)
    except Fenced:
        return False
    return True
