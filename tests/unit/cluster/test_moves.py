"""What follows from who is alive and who owns what."""

from dataclasses import replace
from itertools import product

import pytest

from controlplane.cluster.moves import Moves, View, decide
from controlplane.cluster.rendezvous import wanted
from controlplane.model.member import Member, Network, Ownership
from controlplane.model.share import ALL_ROLES, SHARDS, SHARED_ROLES, Role

_A = Member("a", "1", ALL_ROLES)
_B = Member("b", "1", ALL_ROLES)
_BOTH = (_A, _B)
# A shard that is a's when both are there, and one that is b's.
_FOR_A = min(wanted(Role.PROBER, "a", ["a", "b"]))
_FOR_B = min(wanted(Role.PROBER, "b", ["a", "b"]))


def _row(shard: int, owner: str = "", token: int = 0, role: Role = Role.PROBER) -> Ownership:
    return Ownership(role, shard, owner, token)


def _decide(
    *rows: Ownership,
    members: tuple[Member, ...] | None = _BOTH,
    held: dict[int, int] | None = None,
    settled: bool = True,
    me: Member = _A,
) -> Moves:
    tokens = {(Role.PROBER, shard): token for shard, token in (held or {}).items()}
    return decide(View(me, members, settled, rows, tokens))


def test_a_free_shard_that_is_for_us_is_claimed() -> None:
    """Of two free shards each replica reaches for its own."""
    moves = _decide(_row(_FOR_A), _row(_FOR_B))
    assert moves == Moves(claim={Role.PROBER: frozenset({_FOR_A})})


def test_alone_everything_is_claimed() -> None:
    """The only replica reaches for every shard of every role that it has."""
    roles = (Role.PROBER, Role.NOTIFIER)
    rows = [_row(shard, role=role) for role in roles for shard in range(SHARDS)]
    moves = _decide(*rows, members=(_A,))
    assert moves.claim == dict.fromkeys(roles, frozenset(range(SHARDS)))


def test_a_role_that_we_have_not_is_not_claimed() -> None:
    """A replica that does not probe takes no targets, though it be alone."""
    api = replace(_A, roles=frozenset({Role.API, Role.NOTIFIER}))
    assert _decide(_row(_FOR_A), members=(api,), me=api) == Moves()


def test_a_shard_of_a_healthy_replica_is_waited_for() -> None:
    """What should be ours and is with one who lives is released by that one first."""
    assert _decide(_row(_FOR_A, _B.owner, 3)) == Moves()


def test_a_shard_of_one_who_is_gone_is_claimed() -> None:
    """When an owner is not among those alive its shard is reached for, once all had their say."""
    row = _row(_FOR_A, "c/1", 3)
    assert _decide(row).claim == {Role.PROBER: frozenset({_FOR_A})}
    assert _decide(row, settled=False) == Moves()


def test_a_shard_of_a_former_self_is_claimed_at_once() -> None:
    """Nobody else can be the earlier process of our name."""
    moves = _decide(_row(_FOR_A, "a/0", 3), settled=False)
    assert moves.claim == {Role.PROBER: frozenset({_FOR_A})}


def test_a_shard_of_another_incarnation_is_no_owner_alive() -> None:
    """Who was restarted under its name does not own what its former self did."""
    moves = _decide(_row(_FOR_A, "b/0", 3))
    assert moves.claim == {Role.PROBER: frozenset({_FOR_A})}


def test_what_should_be_with_another_is_released() -> None:
    """When somebody joins, the shards for it are let go, and no others."""
    moves = _decide(
        _row(_FOR_A, _A.owner, 1), _row(_FOR_B, _A.owner, 2), held={_FOR_A: 1, _FOR_B: 2}
    )
    assert moves == Moves(release=frozenset({(Role.PROBER, _FOR_B)}))


def test_what_was_stopped_and_not_let_go_is_released_again() -> None:
    """A release that the database did not take is tried again, though nothing is held."""
    moves = _decide(_row(_FOR_B, _A.owner, 2))
    assert moves == Moves(release=frozenset({(Role.PROBER, _FOR_B)}))


def test_what_another_took_is_lost() -> None:
    """A token that has moved ends what is held, whoever has it now."""
    moves = _decide(_row(_FOR_A, _B.owner, 2), held={_FOR_A: 1})
    assert moves.lost == {(Role.PROBER, _FOR_A)}


def test_what_came_back_under_another_token_is_stopped_and_taken_up() -> None:
    """A shard that was another's for a while begins anew."""
    moves = _decide(_row(_FOR_A, _A.owner, 3), held={_FOR_A: 1})
    assert moves.lost == {(Role.PROBER, _FOR_A)}
    assert moves.found == {(Role.PROBER, _FOR_A): 3}


def test_what_is_ours_and_not_held_is_taken_up() -> None:
    """After a pause, or a claim whose answer never came, what is still ours goes on."""
    assert _decide(_row(_FOR_A, _A.owner, 3)) == Moves(found={(Role.PROBER, _FOR_A): 3})


def test_without_redis_nothing_is_claimed_or_released() -> None:
    """Nobody can tell who is alive: all stays, and what is ours goes on."""
    moves = _decide(
        _row(_FOR_A),
        _row(_FOR_B, _A.owner, 2),
        members=None,
        held={_FOR_B: 2},
        settled=False,
    )
    assert moves == Moves()


def test_without_redis_what_another_took_is_lost_all_the_same() -> None:
    """The database has the last word, also while Redis is away."""
    moves = _decide(_row(_FOR_A, _B.owner, 2), members=None, held={_FOR_A: 1})
    assert moves == Moves(lost=frozenset({(Role.PROBER, _FOR_A)}))


def _in(network: Network, *members: Member) -> tuple[Member, ...]:
    return tuple(replace(member, network=network) for member in members)


_NETWORKS = list(product(Network, repeat=3))
_C = Member("c", "1", ALL_ROLES)
_ROWS = [_row(shard, role=role) for role in SHARED_ROLES for shard in range(SHARDS)]


def _wanted(*members: Member) -> dict[Role, list[frozenset[int]]]:
    """What each of some replicas reaches for when everything is free."""
    moves = [_decide(*_ROWS, members=members, me=member) for member in members]
    return {role: [each.claim.get(role, frozenset()) for each in moves] for role in SHARED_ROLES}


@pytest.mark.parametrize("networks", _NETWORKS)
def test_each_shard_is_wanted_by_one_whatever_the_networks_are(
    networks: tuple[Network, ...],
) -> None:
    """No target is left without a prober, and none has two, while anybody is alive."""
    members = [
        replace(member, network=network)
        for member, network in zip((_A, _B, _C), networks, strict=True)
    ]
    for shares in _wanted(*members).values():
        assert sum(map(len, shares)) == SHARDS
        assert frozenset[int]().union(*shares) == frozenset(range(SHARDS))


@pytest.mark.parametrize("networks", _NETWORKS)
def test_only_probes_are_given_to_those_that_are_not_isolated(
    networks: tuple[Network, ...],
) -> None:
    """Rules and pages stay; probes too where all are isolated, and what is doubted changes none."""
    members = [
        replace(member, network=network)
        for member, network in zip((_A, _B, _C), networks, strict=True)
    ]
    before, after = _wanted(_A, _B, _C), _wanted(*members)
    assert after[Role.EVALUATOR] == before[Role.EVALUATOR]
    assert after[Role.NOTIFIER] == before[Role.NOTIFIER]
    isolated = [network in (Network.ISOLATED, Network.RECOVERING) for network in networks]
    if all(isolated) or not any(isolated):
        assert after == before
        return
    for was, share, cut_off in zip(before[Role.PROBER], after[Role.PROBER], isolated, strict=True):
        assert not share if cut_off else share >= was


def test_one_that_is_isolated_lets_its_probes_go() -> None:
    """A healthy move: it stops and releases, and the other does not reach for what it still has."""
    cut_off = replace(_A, network=Network.ISOLATED)
    row = _row(_FOR_A, _A.owner, 1)
    moves = _decide(row, members=(cut_off, _B), held={_FOR_A: 1}, me=_A)
    assert moves == Moves(release=frozenset({(Role.PROBER, _FOR_A)}))
    assert _decide(row, members=(cut_off, _B), me=_B) == Moves()
    assert _decide(_row(_FOR_A), members=(cut_off, _B), me=_B).claim == {
        Role.PROBER: frozenset({_FOR_A})
    }


def test_where_all_are_isolated_nothing_moves() -> None:
    """Nor while the others find out one after the other that they are."""
    cut_off = replace(_A, network=Network.ISOLATED)
    row = _row(_FOR_A, _A.owner, 1)
    for other in (Network.DOUBTED, Network.ISOLATED):
        members = (cut_off, *_in(other, _B))
        assert _decide(row, members=members, held={_FOR_A: 1}, me=_A) == Moves()
        assert _decide(row, members=members, me=_B) == Moves()


def test_one_that_is_isolated_takes_up_what_it_must_not_let_go_yet() -> None:
    """After a pause it finds what is still its own, while nobody else is certain of itself."""
    members = _in(Network.ISOLATED, _A) + _in(Network.DOUBTED, _B)
    moves = _decide(_row(_FOR_A, _A.owner, 1), members=members, me=_A)
    assert moves == Moves(found={(Role.PROBER, _FOR_A): 1})


def test_one_that_recovers_keeps_what_it_has_and_gets_nothing_yet() -> None:
    """After an outage of all the first one to be certain does not take everything."""
    recovering = replace(_A, network=Network.RECOVERING)
    row = _row(_FOR_A, _A.owner, 1)
    assert _decide(row, members=(recovering, _B), held={_FOR_A: 1}, me=_A) == Moves()
    assert _decide(row, members=(recovering, _B), me=_B) == Moves()
    assert _decide(_row(_FOR_A), members=(recovering, _B), me=_A) == Moves()
