"""Go's times and durations."""

import pytest

from controlplane.templating.errors import FunctionError
from controlplane.templating.golayout import parse
from controlplane.templating.gotime import HOUR, MILLISECOND, MINUTE, SECOND, Duration, Time

INSTANT = Time(1_704_164_645_678_901_234)  # 2024-01-02 03:04:05.678901234 UTC


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_500_000, "2.5ms"),
        (SECOND, "1s"),
        (90 * SECOND + 500 * MILLISECOND, "1m30.5s"),
        (-(26 * HOUR + 3 * MINUTE), "-26h3m0s"),
    ],
)
def test_durations_print_as_in_go(nanoseconds: int, text: str) -> None:
    """The largest unit is the hour, and below a second one unit only."""
    assert Duration(nanoseconds).go_string() == text


def test_rounding_of_durations() -> None:
    """Truncate goes toward zero, Round to the nearest, halves away from zero."""
    value = Duration(1500)
    assert (value.truncate(1000), value.round_to(1000)) == (1000, 2000)
    assert (Duration(-1500).truncate(1000), Duration(-1500).round_to(1000)) == (-1000, -2000)


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("2006-01-02 15:04:05.999999999 -0700 MST", "2024-01-02 03:04:05.678901234 +0000 UTC"),
        ("Mon Jan _2 3:04PM 06", "Tue Jan  2 3:04AM 24"),
        ("02/01/2006 002 __2", "02/01/2024 002   2"),
        ("15h04 .000 Z07:00", "03h04 .678 Z"),
        ("no layout", "no layout"),
    ],
)
def test_layouts(layout: str, text: str) -> None:
    """A layout shows the reference time."""
    assert INSTANT.format(layout) == text


def test_zones() -> None:
    """Zones of the tz database give offset and name; an unknown one is refused."""
    paris = INSTANT.in_zone("Europe/Paris")
    assert paris.go_string() == "2024-01-02 04:04:05.678901234 +0100 CET"
    assert paris.format("Z07:00 -07 -070000") == "+01:00 +01 +010000"
    with pytest.raises(FunctionError, match="unknown time zone Nowhere/Else"):
        INSTANT.in_zone("Nowhere/Else")


def test_dates_move_by_the_calendar() -> None:
    """AddDate normalises: a month after 31 January is 2 March of a leap year."""
    january = parse("2006-01-02", "2024-01-31")
    assert january.add_date(0, 1, 0).format("2006-01-02") == "2024-03-02"
    with pytest.raises(FunctionError, match="years 1 to 9999"):
        january.add_date(100_000, 0, 0)


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("2006-01-02", "2024-03-15", "2024-03-15 00:00:00 +0000 UTC"),
        ("Jan 2 2006 3:04pm", "mar 5 2024 4:05PM", "2024-03-05 16:05:00 +0000 UTC"),
        (
            "2006-01-02T15:04:05Z07:00",
            "2024-03-15T01:02:03.5+02:00",
            "2024-03-14 23:02:03.5 +0000 UTC",
        ),
        ("06 002", "70 060", "1970-03-01 00:00:00 +0000 UTC"),
    ],
)
def test_parsing(layout: str, text: str, expected: str) -> None:
    """Parsing is the inverse of printing; a fraction may follow seconds unasked."""
    assert parse(layout, text).utc().go_string() == expected


@pytest.mark.parametrize("text", ["not-a-date", "2024-13-01", "2024-01-02x", ""])
def test_what_is_no_date_is_refused(text: str) -> None:
    """The message is Go's."""
    with pytest.raises(FunctionError, match="parsing time"):
        parse("2006-01-02", text)
