"""Who owns which shard, and that nothing is written by who no longer does."""

import asyncio
import random
from collections.abc import Mapping

import pytest
from sqlalchemy import update

from controlplane.errors import Fenced
from controlplane.model.fence import OPEN, Fence, Token
from controlplane.model.member import Claimed, Member
from controlplane.model.share import SHARDS, Role
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.instants import database_now
from controlplane.storage.replicas import SqlReplicas
from controlplane.storage.shares import SqlShares
from controlplane.storage.tables.cluster import replicas
from tests.support.cluster import member

_LEASE = 10_000
_A, _B = member("a"), member("b")


async def _claim(
    shares: SqlShares, me: Member, *wanted: int, alive: tuple[Member, ...] = (_A, _B)
) -> Mapping[int, Claimed]:
    return await shares.claim(
        Role.PROBER, wanted, me.owner, alive=[each.owner for each in alive], lease=_LEASE
    )


async def _owners(shares: SqlShares) -> dict[int, str]:
    held = await shares.held()
    return {row.shard: row.owner for row in held if row.role is Role.PROBER and row.owner}


async def _silence(database: Database, me: Member, milliseconds: int) -> None:
    """Have a replica be seen so long ago."""
    async with database.begin() as connection:
        then = database_now(connection) - milliseconds
        mine = replicas.c.name == me.name
        await connection.execute(update(replicas).where(mine).values(seen_at=then))


def _fence(*tokens: tuple[int, int]) -> Fence:
    return Fence(frozenset(Token(Role.PROBER, shard, number) for shard, number in tokens))


async def _check(database: Database, fence: Fence) -> None:
    async with database.begin() as connection:
        await check_fence(connection, fence)


async def test_every_shard_of_every_role_is_free_at_first(database: Database) -> None:
    """The schema comes with a row for each shard of the roles that are shared out."""
    held = await SqlShares(database).held()
    assert len(held) == 3 * SHARDS
    assert {row.owner for row in held} == {""}
    assert {row.token for row in held} == {0}


async def test_a_free_shard_is_claimed_with_the_next_token(database: Database) -> None:
    """Each owner gets a number above the one before it, and no time when there was none."""
    shares = SqlShares(database)
    assert await _claim(shares, _A, 1, 2) == {1: Claimed(1, None), 2: Claimed(1, None)}
    await shares.release(Role.PROBER, [1], _A.owner, 1_700_000_000_000)
    claimed = await _claim(shares, _B, 1, 2)
    assert claimed == {1: Claimed(2, 1_700_000_000_000)}
    assert await _owners(shares) == {1: _B.owner, 2: _A.owner}


async def test_only_the_owner_releases(database: Database) -> None:
    """What is another's stays so, whoever wants to release it."""
    shares = SqlShares(database)
    await _claim(shares, _A, 1)
    await shares.release(Role.PROBER, [1], _B.owner, 1)
    assert await _owners(shares) == {1: _A.owner}


async def test_who_is_alive_in_redis_keeps_what_it_has(database: Database) -> None:
    """A replica that the database has not seen for long, but Redis has, is not taken over."""
    shares = SqlShares(database)
    await _claim(shares, _A, 1)
    assert await _claim(shares, _B, 1) == {}


async def test_who_is_seen_by_the_database_keeps_what_it_has(database: Database) -> None:
    """A replica that only Redis has lost sight of goes on."""
    shares, seen = SqlShares(database), SqlReplicas(database)
    await _claim(shares, _A, 1)
    await seen.beat(_A, clustered=True)
    assert await _claim(shares, _B, 1, alive=(_B,)) == {}


async def test_who_is_gone_everywhere_is_taken_over(database: Database) -> None:
    """Who is seen neither by Redis nor by the database is followed, from when it was seen last."""
    shares, seen = SqlShares(database), SqlReplicas(database)
    await _claim(shares, _A, 1)
    await seen.beat(_A, clustered=True)
    await _silence(database, _A, _LEASE + 1)
    claimed = await _claim(shares, _B, 1, alive=(_B,))
    assert claimed[1].token == 2
    assert claimed[1].since is not None


async def test_a_former_self_is_followed_at_once(database: Database) -> None:
    """A process takes over from an earlier one of its name without waiting."""
    shares, again = SqlShares(database), member("a")
    await SqlReplicas(database).beat(_A, clustered=True)
    await _claim(shares, _A, 1)
    assert (await _claim(shares, again, 1))[1].token == 2


async def test_a_name_that_begins_with_another_is_no_former_self(database: Database) -> None:
    """`a` does not take from `a-2`, nor from `%`."""
    shares, wild = SqlShares(database), member("%")
    longer = member("a-2")
    await _claim(shares, longer, 1)
    alive = (longer, wild, _A)
    assert await _claim(shares, _A, 1, alive=alive) == {}
    assert await _claim(shares, wild, 1, alive=alive) == {}


async def test_a_write_under_the_token_of_now_is_taken(database: Database) -> None:
    """Who owns all of what a decision stood on may write it; nothing at all may always be."""
    shares = SqlShares(database)
    claimed = await _claim(shares, _A, 1, 2)
    await _check(database, _fence((1, claimed[1].token), (2, claimed[2].token)))
    await _check(database, OPEN)


async def test_a_write_under_an_old_token_is_refused(database: Database) -> None:
    """When one of the shares has been taken over, nothing of the decision is written."""
    shares = SqlShares(database)
    claimed = await _claim(shares, _A, 1, 2)
    await _claim(shares, member("a"), 2)
    with pytest.raises(Fenced, match="shard 2 of the probers"):
        await _check(database, _fence((1, claimed[1].token), (2, claimed[2].token)))


async def test_a_shard_under_which_something_is_written_is_not_taken(database: Database) -> None:
    """Between the check and the end of the transaction the shard stays where it is."""
    shares = SqlShares(database)
    claimed = await _claim(shares, _A, 1)
    again = member("a")
    async with database.begin() as connection:
        await check_fence(connection, _fence((1, claimed[1].token)))
        claim = asyncio.create_task(_claim(shares, again, 1))
        if database.is_sqlite:
            # There is one writer: it waits for its turn.
            done, _ = await asyncio.wait([claim], timeout=0.2)
            assert not done
        else:
            assert await claim == {}
    assert list(await claim or await _claim(shares, again, 1)) == [1]


async def test_claims_at_once_never_give_a_shard_to_two(database: Database) -> None:
    """Replicas that reach for the same shards at the same time get each of them once."""
    shares = SqlShares(database)
    members = [member(name) for name in "abcd"]
    claims = await asyncio.gather(
        *(_claim(shares, each, *range(SHARDS), alive=tuple(members)) for each in members)
    )
    taken = [shard for claimed in claims for shard in claimed]
    assert len(taken) == len(set(taken))
    owners = await _owners(shares)
    for each, claimed in zip(members, claims, strict=True):
        assert {shard for shard, owner in owners.items() if owner == each.owner} == set(claimed)


@pytest.mark.parametrize("seed", range(3))
async def test_in_any_order_one_at_most_may_write(database: Database, seed: int) -> None:
    """Whatever replicas claim, release, and lose by dying, one token of a shard is good."""
    chance, shares = random.Random(seed), SqlShares(database)
    members = [member(name) for name in "abc"]
    believed: dict[Member, dict[int, int]] = {each: {} for each in members}
    for _ in range(40):
        me, shard = chance.choice(members), chance.randrange(3)
        if chance.random() < 0.3 and shard in believed[me]:
            await shares.release(Role.PROBER, [shard], me.owner, 1)
            del believed[me][shard]
        else:  # whoever is missing among those alive has been silent for ever
            alive = tuple(each for each in members if each == me or chance.random() < 0.5)
            claimed = await _claim(shares, me, shard, alive=alive)
            believed[me] |= {each: found.token for each, found in claimed.items()}
        for shard_ in range(3):
            good = [
                each
                for each in members
                if shard_ in believed[each]
                and await _may_write(database, shard_, believed[each][shard_])
            ]
            assert len(good) <= 1


async def _may_write(database: Database, shard: int, token: int) -> bool:
    try:
        await _check(database, _fence((shard, token)))
    except Fenced:
        return False
    return True


async def test_replicas_see_each_other(database: Database) -> None:
    """A process is seen by the others until it says goodbye, and does not see itself."""
    seen = SqlReplicas(database)
    await seen.beat(_A, clustered=True)
    await seen.beat(_B, clustered=False)
    await seen.beat(_B, clustered=False)
    found = await seen.others(_A, 15_000)
    assert [(each.name, each.incarnation, each.clustered) for each in found] == [
        ("b", _B.incarnation, False)
    ]
    await seen.leave(_B)
    assert await seen.others(_A, 15_000) == []


async def test_who_was_seen_long_ago_is_not_there(database: Database) -> None:
    """Silence makes a process absent, and after a day forgotten."""
    seen = SqlReplicas(database)
    await seen.beat(_A, clustered=True)
    await _silence(database, _A, 15_001)
    assert await seen.others(_B, 15_000) == []
    await seen.tidy()
    assert len(await seen.others(_B, 20_000)) == 1
    await _silence(database, _A, 25 * 3_600_000)
    await seen.tidy()
    assert await seen.others(_B, 48 * 3_600_000) == []
