"""The wheel and its slots, by passing time."""

from controlplane.probes.wheel import GRAIN, Wheel, phase, slot_at


def test_phase_is_stable_and_within_the_interval() -> None:
    """Every process finds the same slot for a key."""
    assert phase("target-1", 10_000) == phase("target-1", 10_000)
    assert len({phase(f"t{number}", 10_000) // 1000 for number in range(200)}) == 10


def test_slot_is_the_newest_that_has_begun() -> None:
    """The slot lies at most one interval back, at the offset, before 1970 too."""
    for now in (0, 1, 9_999, 10_000, 1_700_000_000_123):
        slot = slot_at(now, 10_000, 2_500)
        assert now - 10_000 < slot <= now
        assert slot % 10_000 == 2_500


def test_due_is_taken_once_and_never_early() -> None:
    """A key comes out when its time has come, with the instant it was due at."""
    wheel: Wheel[str] = Wheel()
    wheel.put("a", 1_003)
    wheel.put("b", 5_000)
    assert wheel.take(1_002) == []
    assert wheel.take(1_003 + GRAIN) == [("a", 1_003)]
    assert wheel.take(1_003 + GRAIN) == []
    assert wheel.next_at() == 5_000
    assert wheel.take(9_000) == [("b", 5_000)]
    assert wheel.next_at() is None


def test_moved_and_removed_keys_are_due_at_their_last_instant_only() -> None:
    """Putting again moves a key; removing it leaves nothing behind."""
    wheel: Wheel[str] = Wheel()
    wheel.put("a", 1_000)
    wheel.put("a", 2_000)
    wheel.put("b", 1_000)
    wheel.remove("b")
    assert wheel.take(1_500) == []
    assert wheel.take(2_000) == [("a", 2_000)]
    assert len(wheel) == 0
