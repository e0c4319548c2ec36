"""Time intervals of alertmanager.yml: minutes, weekdays, days, months and years, in a zone."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput

_TIME: Final = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))\Z")
_WEEKDAYS: Final = {
    name: number
    for number, name in enumerate(
        ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
    )
}
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ),
        start=1,
    )
}
# Days that every month has: what is empty in the shortest is empty in all.
_SHORTEST_MONTH: Final = 28


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` to `end`, both included."""

    begin: int
    end: int

    def __contains__(self, value: int) -> bool:
        return self.begin <= value <= self.end


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """When all parts that are given hold; None is "any", an empty tuple "never".

    `times` count the minutes of a day, `weekdays` from Sunday (0),
    `days_of_month` from 1, or from the month's end with -1. `location` is a
    name of the IANA time zone database, or `Local`.
    """

    times: tuple[Span, ...] | None = None
    weekdays: tuple[Span, ...] | None = None
    days_of_month: tuple[Span, ...] | None = None
    months: tuple[Span, ...] | None = None
    years: tuple[Span, ...] | None = None
    location: str = "UTC"

    def contains(self, now: Timestamp) -> bool:
        """Tell whether an instant lies in the interval."""
        local = datetime.fromtimestamp(now / 1000, tz=time_zone(self.location))
        return (
            _within(self.times, local.hour * 60 + local.minute)
            and _within(self.weekdays, local.isoweekday() % 7)
            and self._on_day(local)
            and _within(self.months, local.month)
            and _within(self.years, local.year)
        )

    def _on_day(self, local: datetime) -> bool:
        if self.days_of_month is None:
            return True
        last = monthrange(local.year, local.month)[1]
        return any(
            _from_start(span.begin, last) <= local.day <= _from_start(span.end, last)
            for span in self.days_of_month
        )


def parse_times(start_time: str, end_time: str) -> Span:
    """Return the minutes from a start to, and without, an end such as `24:00`.

    Raises InvalidInput.
    """
    start, end = _minutes(start_time), _minutes(end_time)
    if start >= end:
        raise InvalidInput("start time cannot be equal or greater than end time")
    return Span(start, end - 1)


def parse_weekdays(text: str) -> Span:
    """Return the days of `monday:friday` or `saturday`. Raises InvalidInput."""
    return _ordered(_span(text, _named(_WEEKDAYS, "weekday")), text)


def parse_days_of_month(text: str) -> Span:
    """Return the days of `1:5` or `-3:-1`. Raises InvalidInput."""
    span = _span(text, _number)
    for day in (span.begin, span.end):
        if day == 0 or abs(day) > 31:
            raise InvalidInput(f"{day} is not a valid day of the month: out of range")
    if span.begin < 0 < span.end:
        raise InvalidInput("end day must be negative if start day is negative")
    if _signed(span.begin) > _signed(span.end):
        raise InvalidInput(f"end day {span.end} is always before start day {span.begin}")
    return span


def parse_months(text: str) -> Span:
    """Return the months of `march:may` or `1:3`. Raises InvalidInput."""
    span = _ordered(_span(text, _month), text)
    for month in (span.begin, span.end):
        if not 1 <= month <= 12:
            raise InvalidInput(f"{month} is not a valid month: out of range")
    return span


def parse_years(text: str) -> Span:
    """Return the years of `2026:2028`. Raises InvalidInput."""
    return _ordered(_span(text, _number), text)


@lru_cache(maxsize=256)
def time_zone(name: str) -> tzinfo | None:
    """Return the zone of a name, None for the machine's own. Raises InvalidInput."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"unknown time zone {name}") from None


def _within(spans: tuple[Span, ...] | None, value: int) -> bool:
    return spans is None or any(value in span for span in spans)


def _from_start(day: int, last: int) -> int:
    """Return the day counted from the month's start; a begin after its end stays there."""
    return day if day > 0 else last + day + 1


def _signed(day: int) -> int:
    return day if day > 0 else _SHORTEST_MONTH + day


def _minutes(text: str) -> int:
    match = _TIME.match(text)
    if match is None:
        raise InvalidInput(f"couldn't parse timestamp {text}, invalid format")
    hours, minutes = (int(part) for part in match.groups() if part is not None)
    return hours * 60 + minutes


def _span(text: str, member: Callable[[str], int]) -> Span:
    begin, colon, end = text.lower().partition(":")
    if ":" in end:
        raise InvalidInput(f"couldn't parse range {text}, invalid format")
    return Span(member(begin), member(end if colon else begin))


def _ordered(span: Span, text: str) -> Span:
    if span.begin > span.end:
        raise InvalidInput(f"the end of {text} is before its start")
    return span


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a whole number") from None


def _named(names: Mapping[str, int], kind: str) -> Callable[[str], int]:
    def member(text: str) -> int:
        if text not in names:
            raise InvalidInput(f"{text} is not a valid {kind}")
        return names[text]

    return member


def _month(text: str) -> int:
    return _MONTHS[text] if text in _MONTHS else _number(text)
