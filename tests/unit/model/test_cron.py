"""Crontab lines: what they mean, and what is none."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.cron import parse_cron


def test_fields_are_lists_ranges_and_steps() -> None:
    """Names stand for numbers, Sunday is 0 and 7."""
    cron = parse_cron("*/20,5 9-17/4 1,15 jan-mar,12 MON-fri,7", "Europe/Berlin")
    assert cron.minutes == (0, 5, 20, 40)
    assert cron.hours == (9, 13, 17)
    assert cron.days == (1, 15)
    assert cron.months == (1, 2, 3, 12)
    assert cron.weekdays == (0, 1, 2, 3, 4, 5)
    assert (cron.any_day, cron.any_weekday, cron.location) == (False, False, "Europe/Berlin")


def test_a_star_is_everything() -> None:
    """Also with a step, as far as days of month or week are concerned."""
    cron = parse_cron("0 0 */2 * *")
    assert cron.days == tuple(range(1, 32, 2))
    assert cron.weekdays == tuple(range(7))
    assert (cron.any_day, cron.any_weekday) == (True, True)


def test_a_number_with_a_step_counts_from_there() -> None:
    """To the end of its field."""
    assert parse_cron("50/3 * * * *").minutes == (50, 53, 56, 59)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a schedule"),
        ("* * * *", "not a schedule"),
        ("@daily", "not a schedule"),
        ("60 * * * *", "minute: '60' is not within 0 to 59"),
        ("* 24 * * *", "hour: '24' is not within 0 to 23"),
        ("* * 0 * *", "day of the month: '0' is not within 1 to 31"),
        ("* * * feb-13 *", "month: '13' is not within 1 to 12"),
        ("* * * * someday", "day of the week: 'someday' is not within 0 to 7"),
        ("30-10 * * * *", "minute: '30-10' is empty"),
        ("*/0 * * * *", "minute: '*/0' is empty"),
        ("1,,2 * * * *", "minute: '' is none of"),
        ("-5 * * * *", "minute: '-5' is none of"),
        ("99999999999999999999 * * * *", "is not within 0 to 59"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, reason: str) -> None:
    """With the field and what it may hold."""
    with pytest.raises(InvalidInput, match=reason.replace("*", r"\*")):
        parse_cron(text)


def test_an_unknown_zone_is_refused() -> None:
    """At once, not when the time has come."""
    with pytest.raises(InvalidInput, match="unknown time zone Mars"):
        parse_cron("0 9 * * *", "Mars")
