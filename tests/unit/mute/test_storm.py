"""Is it them or us: what counts as a mass failure, and every transition of a storm."""

from collections.abc import Iterator
from itertools import count

import pytest

from controlplane.mute.options import StormOptions
from controlplane.mute.storm import (
    CALM,
    Canaries,
    Failing,
    Mass,
    Phase,
    Storm,
    mass_of,
    step,
    still,
)
from tests.unit.mute.world import NOW

OPTIONS = StormOptions(targets=4, networks=2, hold=120_000)
INTERVAL = 15_000
MASS = Mass(NOW, 4, 2, INTERVAL)
UP, DOWN = Canaries(NOW + 1, 2, 1), Canaries(NOW + 1, 2, 2)


def failing(
    targets: int, networks: int, *, began: int = NOW, reason: str = "timeout", apart: int = 0
) -> list[Failing]:
    names = (f"{reason}-{began}-{each}" for each in range(targets))
    return [
        Failing(name, reason, f"10.{place % networks}.0.0/16", INTERVAL, at, at)
        for place, name in enumerate(names)
        for at in [began + place * apart]
    ]


def test_enough_targets_in_enough_networks_are_a_mass() -> None:
    """With what they failed by, the most frequent first."""
    three = [*failing(3, 2), *failing(1, 1, reason="dns")]
    mass = mass_of(three, OPTIONS)
    assert mass == Mass(NOW, 4, 2, INTERVAL, (("timeout", 3), ("dns", 1)))
    assert str(mass) == "4 targets in 2 networks (3 timeout, 1 dns)"


@pytest.mark.parametrize(
    "few",
    [
        failing(3, 2),
        failing(9, 1),
        [*failing(3, 2), *failing(5, 2, reason="status")],
        [*failing(3, 2), *failing(3, 2, began=NOW + INTERVAL)],
        failing(4, 2, apart=INTERVAL // 3),
    ],
    ids=["targets", "networks", "reasons", "earlier ones", "one by one"],
)
def test_what_is_no_mass(few: list[Failing]) -> None:
    """Too few, too near, by their own fault, or not within one interval."""
    assert mass_of(few, OPTIONS) is None


def test_the_longest_interval_counts_within_bounds() -> None:
    """A target that is probed once an hour does not gather those of an hour."""
    rare = Failing("rare", "dns", "example.com", 3_600_000, NOW, NOW)
    near = [*failing(3, 2, began=NOW - 119_000), rare]
    assert mass_of(near, OPTIONS) is not None
    far = [*failing(3, 2, began=NOW - 120_000), rare]
    assert mass_of(far, OPTIONS) is None


def test_a_mass_lasts_while_enough_of_it_fail() -> None:
    """Those that failed long before take no part; those that came later do."""
    before, later = failing(4, 2, began=NOW - 1), failing(4, 2, began=NOW + 99_000)
    assert still(MASS, before, OPTIONS) is None
    assert still(MASS, [*before, *later], OPTIONS) is not None
    assert still(MASS, [*before, *later[1:]], OPTIONS) is None


def steps(*seen: tuple[int, Mass | None, Canaries], storm: Storm = CALM) -> Iterator[Phase]:
    for after, mass, canaries in seen:
        storm = step(storm, mass, canaries, NOW + after, OPTIONS)
        yield storm.phase


OLD = Canaries(NOW - 1, 2, 0)
LATER_UP, LATER_DOWN = Canaries(NOW + 60_000, 2, 1), Canaries(NOW + 70_000, 2, 2)


@pytest.mark.parametrize(
    ("seen", "phases"),
    [
        ([(0, None, DOWN)], "calm"),
        ([(0, MASS, OLD), (1, MASS, OLD), (2, MASS, UP)], "asking asking cleared"),
        ([(0, MASS, OLD), (2, MASS, DOWN), (9, MASS, DOWN)], "asking holding holding"),
        ([(0, MASS, OLD), (10_000, MASS, OLD)], "asking cleared"),
        ([(0, MASS, OLD), (1, MASS, Canaries(NOW + 1))], "asking cleared"),
        ([(0, MASS, OLD), (1, None, OLD)], "asking calm"),
        ([(0, MASS, OLD), (2, MASS, UP), (3, MASS, LATER_DOWN)], "asking cleared holding"),
        ([(0, MASS, OLD), (2, MASS, UP), (3, None, UP)], "asking cleared calm"),
        ([(0, MASS, OLD), (2, MASS, DOWN), (9, None, DOWN)], "asking holding calm"),
        (
            [(0, MASS, OLD), (2, MASS, DOWN), (119_999, MASS, DOWN), (120_000, MASS, DOWN)],
            "asking holding holding released",
        ),
        (
            [(0, MASS, OLD), (2, MASS, DOWN), (9, MASS, LATER_UP), (30_009, MASS, LATER_UP)],
            "asking holding settling released",
        ),
        (
            [(0, MASS, OLD), (2, MASS, DOWN), (9, MASS, LATER_UP), (10, MASS, LATER_DOWN)],
            "asking holding settling holding",
        ),
        ([(0, MASS, OLD), (2, MASS, DOWN), (9, MASS, LATER_UP), (10, None, LATER_UP)],
         "asking holding settling calm"),
        ([(0, MASS, OLD), (2, MASS, DOWN), (-60_000, MASS, DOWN)], "asking holding released"),
    ],
)  # fmt: skip
def test_every_transition(seen: list[tuple[int, Mass | None, Canaries]], phases: str) -> None:
    """As they are drawn: nobody is held without canaries that fail, nor too long."""
    assert " ".join(steps(*seen)) == phases


def test_it_is_held_two_minutes_in_all() -> None:
    """Canaries that come and go begin nothing anew: it counts from the first question."""
    canaries = (each for _ in count() for each in (LATER_UP, LATER_DOWN))
    seen = [(0, MASS, OLD), (2, MASS, DOWN)]
    seen += [(after, MASS, next(canaries)) for after in range(1_000, 121_000, 1_000)]
    phases = list(steps(*seen))
    held = [seen[place][0] for place, phase in enumerate(phases) if phase is not Phase.RELEASED]
    assert max(held) == 119_000


def test_after_a_release_it_must_have_been_quiet() -> None:
    """For as long as it may be held, without a mass failure in between."""
    released = Storm(Phase.RELEASED, NOW, NOW - 120_000, MASS)
    seen = [(60_000, MASS, DOWN), (179_000, None, DOWN), (180_000, None, DOWN), (180_001, MASS, UP)]
    assert " ".join(steps(*seen, storm=released)) == "released released calm asking"


@pytest.mark.parametrize(
    ("canaries", "down"),
    [(Canaries(NOW), False), (Canaries(NOW, 2, 1), False), (Canaries(NOW, 2, 2), True)],
)
def test_all_canaries_must_fail(canaries: Canaries, down: bool) -> None:
    """And there must be some."""
    assert canaries.down is down
