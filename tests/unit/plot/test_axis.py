"""Marks on axes are round, few, and say what they stand at."""

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.duration import DAY, HOUR, MINUTE
from controlplane.plot.axis import (
    number_words,
    time_ticks,
    time_words,
    value_ticks,
    value_words,
)

NOON = 1_700_049_600_000
_VALUES = st.floats(-1e12, 1e12, allow_nan=False)


@given(_VALUES, st.floats(1e-6, 1e12))
def test_values_lie_in_their_range(low: float, width: float) -> None:
    """Never more than asked for, and evenly apart."""
    high = low + width
    ticks = value_ticks(low, high, 4)
    assert len(ticks) <= 5
    slack = abs(width) * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= tick <= high + slack for tick in ticks)


def test_values_are_round() -> None:
    """Multiples of 1, 2 or 5, with as many digits as tell them apart."""
    ticks = value_ticks(-0.01, 0.14, 4)
    assert [value_words(tick, 0.05) for tick in ticks] == ["0", "0.05", "0.10"]
    assert [value_words(tick, 5e9) for tick in value_ticks(0, 1.5e10, 4)] == [
        "0",
        "5G",
        "10G",
        "15G",
    ]
    assert value_words(1500.0, 500.0) == "1.5k"
    assert value_words(2e-9, 1e-9) == "2e-09"
    assert value_ticks(3.0, 3.0, 4) == [3.0]
    assert [number_words(n) for n in (0.05, 2.5e9, 100.0, -1500.0)] == [
        "0.05",
        "2.5G",
        "100",
        "-1.5k",
    ]


@given(st.integers(0, 2 * NOON), st.integers(1_000, 400 * DAY))
def test_instants_lie_in_their_range(start: int, span: int) -> None:
    """Whether seconds or a year."""
    ticks = time_ticks(start, start + span, 6)
    assert len(ticks) <= 7
    assert all(start <= tick <= start + span for tick in ticks)


def test_instants_are_round() -> None:
    """Ten minutes apart within an hour; days only where there are several."""
    hour = [time_words(tick, HOUR) for tick in time_ticks(NOON - HOUR + 1, NOON, 6)]
    assert hour == ["11:10", "11:20", "11:30", "11:40", "11:50", "12:00"]
    assert time_words(NOON, MINUTE) == "12:00:00"
    assert time_words(NOON, 3 * DAY) == "11-15"
