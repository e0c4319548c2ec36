"""Shards, and the share of one who does everything alone."""

from collections import Counter

from controlplane.model.fence import OPEN, Fence, Token
from controlplane.model.share import SHARDS, WHOLE, shard_of


def test_a_key_keeps_its_shard_from_version_to_version() -> None:
    """Replicas of two versions agree on whose a key is."""
    assert (shard_of("checkout"), shard_of("fleet.rules.yml;probes")) == (80, 128)


def test_keys_are_spread_evenly() -> None:
    """No shard holds twice its part of many keys."""
    held = Counter(shard_of(f"target-{number}") for number in range(SHARDS * 200))
    assert len(held) == SHARDS
    assert max(held.values()) < 2 * 200


def test_alone_everything_is_owned_and_nothing_is_refused() -> None:
    """One replica needs no fence."""
    assert WHOLE.owns("anything")
    assert WHOLE.fence(["anything"]) == OPEN
    assert not OPEN


def test_fences_add_up() -> None:
    """A decision on two shares needs both."""
    one, two = Fence(frozenset({Token("prober", 1, 7)})), Fence(frozenset({Token("prober", 2, 9)}))
    assert (one | two).tokens == one.tokens | two.tokens
    assert (one | OPEN) == one
    assert (OPEN | one) == one
