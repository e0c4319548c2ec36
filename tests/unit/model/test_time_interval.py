"""Time intervals, as alertmanager.yml means them."""

from datetime import datetime

import pytest

from controlplane.errors import InvalidInput
from controlplane.model import time_interval
from controlplane.model.time_interval import Span, TimeInterval

WORKING_HOURS = TimeInterval(
    times=(time_interval.parse_times("09:00", "17:00"),),
    weekdays=(time_interval.parse_weekdays("monday:friday"),),
)
SYDNEY = TimeInterval(times=WORKING_HOURS.times, location="Australia/Sydney")
MONTHS_END = TimeInterval(days_of_month=(time_interval.parse_days_of_month("-3:-1"),))
LATE_DAYS = TimeInterval(days_of_month=(time_interval.parse_days_of_month("30:31"),))
WHOLE_JUNE = TimeInterval(days_of_month=(Span(-31, 31),), months=(Span(6, 6),))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("interval", "instant", "inside"),
    [
        (TimeInterval(), "2026-11-22T03:04:05+00:00", True),
        (TimeInterval(weekdays=()), "2026-11-22T03:04:05+00:00", False),
        (WORKING_HOURS, "2026-11-20T09:00:00+00:00", True),
        (WORKING_HOURS, "2026-11-20T16:59:59+00:00", True),
        (WORKING_HOURS, "2026-11-20T17:00:00+00:00", False),
        (WORKING_HOURS, "2026-11-22T12:00:00+00:00", False),
        (SYDNEY, "2026-04-10T13:00:00+10:00", True),
        (SYDNEY, "2026-04-10T13:00:00+00:00", False),
        (MONTHS_END, "2028-02-29T00:00:00+00:00", True),
        (MONTHS_END, "2028-02-26T23:59:00+00:00", False),
        (MONTHS_END, "2028-03-01T00:00:00+00:00", False),
        (LATE_DAYS, "2026-02-28T12:00:00+00:00", False),
        (LATE_DAYS, "2026-04-30T12:00:00+00:00", True),
        (WHOLE_JUNE, "2026-06-01T00:00:00+00:00", True),
        (WHOLE_JUNE, "2026-06-30T23:59:00+00:00", True),
        (WHOLE_JUNE, "2026-07-01T00:00:00+00:00", False),
        (TimeInterval(years=(Span(2025, 2026),)), "2026-12-31T23:59:59+00:00", True),
        (TimeInterval(years=(Span(2025, 2026),)), "2027-01-01T00:00:00+00:00", False),
        (TimeInterval(weekdays=(Span(0, 0),)), "2026-11-22T12:00:00+00:00", True),
    ],
)
def test_an_instant_is_inside_when_every_part_holds(
    interval: TimeInterval, instant: str, inside: bool
) -> None:
    """Ends of hours are left out, those of days included; negative days count from the end."""
    assert interval.contains(at(instant)) is inside


def test_a_zone_keeps_its_summer_time() -> None:
    """Nine o'clock in New York is another instant in July than in January."""
    morning = TimeInterval(times=(Span(540, 599),), location="America/New_York")
    assert morning.contains(at("2026-07-01T13:30:00+00:00"))
    assert not morning.contains(at("2026-01-05T13:30:00+00:00"))
    assert morning.contains(at("2026-01-05T14:30:00+00:00"))


def test_ranges_are_read_as_alertmanager_reads_them() -> None:
    """One member is a range of one; names in any case; a day may be counted from the end."""
    assert time_interval.parse_weekdays("Saturday") == Span(6, 6)
    assert time_interval.parse_months("march:5") == Span(3, 5)
    assert time_interval.parse_days_of_month("1:-1") == Span(1, -1)
    assert time_interval.parse_years("2026") == Span(2026, 2026)
    assert time_interval.parse_times("00:00", "24:00") == Span(0, 1439)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (time_interval.parse_weekdays, "friday:monday"),
        (time_interval.parse_weekdays, "someday"),
        (time_interval.parse_weekdays, "monday:tuesday:friday"),
        (time_interval.parse_months, "13"),
        (time_interval.parse_months, "may:march"),
        (time_interval.parse_months, "smarch"),
        (time_interval.parse_days_of_month, "0"),
        (time_interval.parse_days_of_month, "32"),
        (time_interval.parse_days_of_month, "-3:5"),
        (time_interval.parse_days_of_month, "-1:-3"),
        (time_interval.parse_days_of_month, "28:-2"),
        (time_interval.parse_years, "next"),
        (time_interval.parse_years, "2027:2026"),
        (lambda text: time_interval.parse_times(text, "24:01"), "12:30"),
        (lambda text: time_interval.parse_times(text, "17:31"), "17:31"),
        (lambda text: time_interval.parse_times(text, "24:00"), "24:00"),
        (lambda text: time_interval.parse_times(text, "10:00"), "9:30"),
        (time_interval.time_zone, "Mars/Olympus"),
        (time_interval.time_zone, "../etc/passwd"),
    ],
)
def test_what_can_never_hold_is_refused(parse: object, text: str) -> None:
    """A backward range, a name or number out of range, and an unknown zone are errors."""
    assert callable(parse)
    with pytest.raises(InvalidInput):
        parse(text)
