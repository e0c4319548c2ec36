"""Which series are regular, and at what interval."""

from itertools import pairwise

import numpy as np
import pytest

from controlplane.tsdb.cadence import Cadence, nominal


def learnt(times: list[int], cadence: Cadence | None = None) -> list[tuple[int, int]]:
    """Return (sample's place, interval) wherever a series counts as regular."""
    if cadence is None:
        cadence = Cadence()
        cadence.grow(1)
    ref, found = np.zeros(1, dtype=np.int64), []
    for place, (before, time) in enumerate(pairwise(times), start=1):
        refs, intervals = cadence.observe(
            ref, np.array([before]), np.array([time]), np.zeros(1, dtype=np.bool_)
        )
        found += [(place, int(interval)) for _ in refs for interval in intervals]
    return found


@pytest.mark.parametrize(
    ("mean", "interval"),
    [
        (15_000.0, 15_000),
        (14_800.0, 15_000),
        (10_200.0, 10_000),
        (7_040.0, 7_000),
        (1_480.0, 1_500),
        (250.0, 250),
        (61_000.0, 60_000),
        (1.0, 0),
        (70.0, 0),
    ],
)
def test_a_mean_stands_for_an_interval_that_people_configure(mean: float, interval: int) -> None:
    """Near a usual interval it is that one; far from any it is none."""
    assert nominal(np.array([mean])).tolist() == [interval]


def test_even_steps_make_a_series_regular() -> None:
    """Some steps of about one length are enough."""
    assert learnt([0, 10_000, 20_100, 29_900, 40_050, 50_000]) == [(5, 10_000)]


def test_uneven_steps_do_not() -> None:
    """A series that comes when it likes is never called regular."""
    assert learnt([0, 1000, 9000, 9500, 30_000, 31_000, 45_000, 46_000]) == []


def test_a_gap_begins_anew() -> None:
    """After a long pause the steps are counted again."""
    assert learnt([0, 1000, 2000, 3000, 90_000, 91_000, 92_000, 93_000, 94_000]) == []


def test_who_had_to_leave_waits_longer() -> None:
    """Each time that a slab did not fit, twice as many steps are asked for."""
    cadence = Cadence()
    cadence.grow(1)
    cadence.disappointed(np.zeros(1, dtype=np.int64))
    assert learnt(list(range(0, 20_000, 1000)), cadence)[0] == (9, 1000)
