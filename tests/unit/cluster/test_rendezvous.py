"""Who should have a shard."""

from itertools import combinations

from controlplane.cluster.rendezvous import owner, wanted
from controlplane.model.share import SHARDS, Role

_NAMES = [f"replica-{number}" for number in range(8)]


def _owners(names: list[str], role: Role = Role.PROBER) -> list[str]:
    return [owner(role, shard, names) for shard in range(SHARDS)]


def test_every_shard_is_wanted_by_one() -> None:
    """The shards of all replicas are all shards, none twice."""
    for count in (1, 2, 3, 8):
        names = _NAMES[:count]
        shards = [shard for name in names for shard in wanted(Role.NOTIFIER, name, names)]
        assert sorted(shards) == list(range(SHARDS))


def test_the_order_of_names_does_not_matter() -> None:
    """Each replica knows the others in another order, and all come to the same answer."""
    assert _owners(_NAMES) == _owners(_NAMES[::-1])


def test_shares_are_about_equal() -> None:
    """No replica has half again as much as its part, whichever few there are."""
    for names in combinations(_NAMES[:5], 3):
        parts = [len(wanted(Role.EVALUATOR, name, names)) for name in names]
        assert max(parts) < 1.5 * SHARDS / 3


def test_only_the_shards_of_who_leaves_move() -> None:
    """When one leaves, every shard of the others stays where it is."""
    before, left = _owners(_NAMES), _NAMES[3]
    after = _owners([name for name in _NAMES if name != left])
    moved = {shard for shard in range(SHARDS) if before[shard] != after[shard]}
    assert moved == {shard for shard in range(SHARDS) if before[shard] == left}


def test_roles_are_shared_out_apart() -> None:
    """A replica that has much of one role has not the same shards of another."""
    assert _owners(_NAMES) != _owners(_NAMES, Role.EVALUATOR)


def test_who_is_not_there_wants_nothing() -> None:
    """A name that is not among those alive has no shard."""
    assert wanted(Role.PROBER, "stranger", _NAMES) == frozenset()
    assert wanted(Role.PROBER, "stranger", []) == frozenset()
