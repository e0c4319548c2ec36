"""Who is alive, over a real Valkey: leases of its own clock, so they are short here."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from controlplane.clock import SystemClock
from controlplane.cluster.membership import Membership
from controlplane.cluster.options import ClusterOptions
from controlplane.errors import Conflict
from controlplane.model.member import Member
from controlplane.model.share import Role
from tests.support import cluster, valkey
from tests.support.clock import ManualClock

_CLOCK = SystemClock()
Join = Callable[..., Awaitable[Membership]]


def _short() -> ClusterOptions:
    return ClusterOptions(prefix=cluster.prefix(), lease=800, renew=150)


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Give what makes replicas of one service; each has a connection of its own."""
    usual, connections = _short(), []

    async def make(
        me: Member | str,
        clock: ManualClock | SystemClock = _CLOCK,
        *,
        url: str = "",
        options: ClusterOptions = usual,
        idle: bool = False,
    ) -> Membership:
        me = me if isinstance(me, Member) else cluster.member(me)
        connection = cluster.connect(url or valkey.server().url, clock)
        connections.append(connection)
        made = cluster.membership(connection, me, clock, options)
        await made.join(idle=idle)
        return made

    yield make
    for connection in connections:
        await connection.close()


@asynccontextmanager
async def _running(*memberships: Membership) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in memberships]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _told_of(name: str, logs: Sequence[Mapping[str, object]]) -> Counter[object]:
    """Count the lines about a replica, by event."""
    return Counter(line["event"] for line in logs if line.get("replica") == name)


def _names(membership: Membership) -> list[str]:
    return [member.name for member in membership.members()]


async def _until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await _CLOCK.sleep(0.01)


async def test_a_replica_that_joined_is_seen_by_all(join: Join) -> None:
    """Who joins is a member at once, and the others see its name, roles and address."""
    first = await join("a")
    newcomer = Member("b", "1", frozenset({Role.API}), "http://b:8080", 7)
    second = await join(newcomer)
    await first.look()
    assert first.is_member
    assert second.is_member
    assert _names(first) == _names(second) == ["a", "b"]
    assert newcomer in first.members()


async def test_one_that_is_not_ready_for_work_has_no_roles(join: Join) -> None:
    """Its name is its own, and nobody lets go of anything for it until it runs."""
    first = await join("a")
    second = await join("b", idle=True)
    await first.look()
    assert _names(first) == ["a", "b"]
    assert [sorted(each.roles) for each in first.members()][1] == []
    async with _running(first, second):
        await _until(lambda: Role.PROBER in first.members()[1].roles)


async def test_who_comes_and_goes_is_logged_once(join: Join) -> None:
    """When it begins to work, not when it takes its name; nor does anybody leave for it."""
    first = await join("a")
    with capture_logs() as logs:
        second = await join("b", idle=True)
        await first.look()
        assert {line["replica"] for line in logs} == {"a"}  # who was there before
        async with _running(first, second):
            await _until(lambda: Role.PROBER in first.members()[1].roles)
            await second.leave()
            await _until(lambda: _names(first) == ["a"])
            once = {"replica joined": 2, "replica left": 2}  # by each of the two
            await _until(lambda: _told_of("b", logs) == once)


async def test_a_change_is_told_at_once(join: Join) -> None:
    """A running replica hears of another's coming and going without waiting for its next look."""
    first = await join("a", ManualClock())  # whose next look by itself never comes
    async with _running(first):
        await _CLOCK.sleep(0.2)
        told: list[list[str]] = []
        first.subscribe(lambda: told.append(_names(first)))
        second = await join("b")
        await _until(lambda: _names(first) == ["a", "b"])
        await second.leave()
        await _until(lambda: "b" not in _names(first))
    assert ["a", "b"] in told


async def test_what_a_replica_becomes_is_seen_at_once(join: Join) -> None:
    """Others hear of what is new about a replica long before it would renew its lease."""
    options = ClusterOptions(prefix=cluster.prefix(), lease=600_000, renew=300_000)
    first, second = await join("a", options=options), await join("b", options=options)
    async with _running(first, second):
        second.become(replace(second.me, config_digest="c0ffee"))
        second.become(replace(second.me, version="2"))
        await _until(lambda: second.me in first.members())
    assert (second.me.config_digest, second.me.version) == ("c0ffee", "2")


async def test_who_leaves_is_no_member(join: Join) -> None:
    """After leaving, no look makes a replica a member again."""
    first = await join("a")
    await first.leave()
    await first.look()
    assert not first.is_member
    assert _names(first) == []


async def test_who_says_nothing_is_dead_after_its_lease(join: Join) -> None:
    """A replica that renews nothing is gone for the others when its lease has ended."""
    first = await join("a")
    await join("b")
    async with _running(first):
        await _until(lambda: _names(first) == ["a", "b"])
        await _until(lambda: _names(first) == ["a"])
    assert first.is_member


async def test_a_second_process_of_one_name_is_refused(join: Join) -> None:
    """While a process of the name renews its lease, another one may not join, and is told why."""
    first = await join("a")
    async with _running(first):
        with pytest.raises(Conflict, match="another process is called 'a'"):
            await join("a")
        assert first.is_member


async def test_a_restart_waits_for_the_lease_of_its_former_self(join: Join) -> None:
    """A process whose former self died without a word has its name when the lease has ended."""
    await join("a")
    begin = _CLOCK.monotonic()
    second = await join("a")
    assert second.is_member
    assert 0.4 < _CLOCK.monotonic() - begin < 4


async def test_a_restart_does_not_wait_for_the_end_of_a_long_lease(join: Join) -> None:
    """Who does not renew in time is dead; if it was only paused, it finds that out first."""
    former = await join(
        "a", options=replace(_short(), prefix=(shared := cluster.prefix()), lease=60_000)
    )
    begin = _CLOCK.monotonic()
    again = await join("a", options=replace(_short(), prefix=shared, lease=60_000))
    assert again.is_member
    assert 1.5 < _CLOCK.monotonic() - begin < 20
    await former.look()
    assert not former.is_member
    assert former.name_taken


async def test_a_restart_after_a_goodbye_waits_for_nothing(join: Join) -> None:
    """Who left well has left its name too."""
    first = await join("a")
    await first.leave()
    async with asyncio.timeout(10):
        second = await join("a", ManualClock())  # a wait would never end
    assert second.is_member


async def test_a_paused_replica_knows_before_it_asks(join: Join) -> None:
    """When its own clock says that the lease is over, a replica is no member, before any look."""
    clock = ManualClock()
    first = await join("a", clock)
    assert first.is_member
    await clock.advance(1)
    assert not first.is_member
    await first.look()
    assert first.is_member


async def test_a_name_lost_in_a_pause_is_not_taken_back(join: Join) -> None:
    """A replica that was away while another one took its name is no member when it comes back."""
    clock = ManualClock()
    first = await join("a", clock)
    await clock.advance(1)
    second = await join("a")
    await first.look()
    assert not first.is_member
    assert first.name_taken
    assert second.is_member


async def test_redis_away_leaves_what_was_known() -> None:
    """Without Redis the last known members stay, and it is told that they are not of now."""
    with valkey.started() as redis:
        clock = ManualClock()
        connection = cluster.connect(redis.url, clock)
        options = ClusterOptions(prefix=cluster.prefix())
        first = cluster.membership(connection, cluster.member("a"), clock, options)
        await first.join()
        await clock.advance(5)
        await first.look()
        assert first.settled
        redis.stop()
        await first.look()
        assert not first.known
        assert not connection.up
        assert _names(first) == ["a"]
        redis.start()
        await first.look()
        assert first.known
        assert first.is_member
        assert not first.settled
        await connection.close()


async def test_a_redis_that_forgot_is_noticed(join: Join) -> None:
    """A Redis that came back empty, unseen, is told again at once, and trusted only later."""
    with valkey.started() as redis:
        clock = ManualClock()
        connection = cluster.connect(redis.url, clock)
        options = ClusterOptions(prefix=cluster.prefix())
        first = cluster.membership(connection, cluster.member("a"), clock, options)
        await first.join()
        await clock.advance(2.9)
        await connection.ask(lambda client: client.flushall())
        await clock.advance(2)
        await first.look()
        await clock.advance(2)
        assert _names(first) == ["a"]
        await connection.ask(lambda client: client.flushall())
        await first.look()
        assert _names(first) == ["a"]
        assert first.is_member
        assert not first.settled
        await clock.advance(4)
        assert first.settled
        await connection.close()


async def test_a_redis_that_forgot_has_nobody_leave() -> None:
    """Who comes back to an empty Redis never left; who does not has, once all have had time."""
    with valkey.started() as redis, capture_logs() as logs:
        clock, options = ManualClock(), ClusterOptions(prefix=cluster.prefix(), lease=600_000)
        connection = cluster.connect(redis.url, clock)
        first, second, third = (
            cluster.membership(connection, cluster.member(name), clock, options) for name in "abc"
        )
        for each in (first, second, third, first):
            await each.join()
        await clock.advance(4)
        for each in (first, second, third):
            await each.look()
        assert first.settled
        await connection.ask(lambda client: client.flushall())
        await first.look()
        assert _names(first) == ["a"]
        await second.look()
        await first.look()
        assert _names(first) == ["a", "b"]
        assert "replica left" not in _told_of("b", logs) + _told_of("c", logs)
        await clock.advance(4)
        await first.look()
        assert _told_of("c", logs)["replica left"] == 1
        assert _told_of("b", logs) == {"replica joined": 3}
        await connection.close()


async def test_a_start_without_redis_is_no_membership() -> None:
    """A replica begins without Redis, is no member, and becomes one when Redis answers."""
    with valkey.started() as redis:
        redis.stop()
        connection = cluster.connect(redis.url, _CLOCK)
        options = ClusterOptions(prefix=cluster.prefix())
        first = cluster.membership(connection, cluster.member("a"), _CLOCK, options)
        await first.join()
        assert not first.known
        assert not first.is_member
        async with _running(first):
            redis.start()
            await _until(lambda: first.is_member)
        await connection.close()
