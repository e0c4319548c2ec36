"""Times that come again, as crontab(5) writes them: five fields and a time zone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.time_interval import time_zone

_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# What each field may hold, and the names that stand for numbers; Sunday is 0 and 7.
_FIELDS: Final[Sequence[tuple[str, int, int, Mapping[str, int]]]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: place for place, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: place for place, name in enumerate(_WEEKDAYS)}),
)
_PART: Final = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/([0-9]{1,2}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cron:
    """Minutes of a calendar. Weekdays are 0 to 6 from Sunday on.

    `any_day` and `any_weekday` tell whether that field began with `*`: when
    neither does, a day of either is meant, as crontab(5) has it.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    any_day: bool
    any_weekday: bool
    location: str = "UTC"
    text: str = field(default="", compare=False)  # as it was written


def parse_cron(text: str, location: str = "UTC") -> Cron:
    """Return what `30 9 * * mon-fri` means in a time zone. Raises InvalidInput."""
    time_zone(location)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise InvalidInput(
            f"not a schedule: {text!r} (write minute, hour, day, month and weekday: 30 9 * * mon)"
        )
    minutes, hours, days, months, weekdays = (
        _numbers(field, *about) for field, about in zip(fields, _FIELDS, strict=True)
    )
    return Cron(
        minutes,
        hours,
        days,
        months,
        tuple(sorted({day % 7 for day in weekdays})),
        any_day=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
        location=location,
        text=" ".join(fields),
    )


def _numbers(
    field: str, what: str, least: int, most: int, names: Mapping[str, int]
) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.match(part)
        if match is None:
            raise InvalidInput(f"{what}: {part!r} is none of *, N, N-M, each with or without /STEP")
        star, first, last, step = match.groups()
        if star:
            low, high = least, most
        else:
            low = _number(first, what, least, most, names)
            # N/STEP means from N on, as every cron of today reads it.
            high = _number(last, what, least, most, names) if last else (most if step else low)
        if low > high or step == "0" or (step and int(step) == 0):
            raise InvalidInput(f"{what}: {part!r} is empty")
        found.update(range(low, high + 1, int(step or 1)))
    return tuple(sorted(found))


def _number(text: str, what: str, least: int, most: int, names: Mapping[str, int]) -> int:
    number = names.get(text.lower(), -1) if not text.isdecimal() else int(text[:4])
    if not least <= number <= most:
        raise InvalidInput(f"{what}: {text!r} is not within {least} to {most}")
    return number
