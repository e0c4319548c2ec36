"""Parsing of times by Go layouts, for `toDate`: the inverse of `Time.format`."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from controlplane.templating.errors import FunctionError
from controlplane.templating.gotime import DAYS, EPOCH, LAYOUT, MONTHS, SECOND, Time
from controlplane.templating.printf import quote

_NAMES: Final = {
    "January": MONTHS,
    "Jan": [month[:3] for month in MONTHS],
    "Monday": DAYS,
    "Mon": [day[:3] for day in DAYS],
}
# Each element of a layout: what it fills, and what it may look like.
_NUMBERS: Final = {
    "1": ("month", r"\d\d?"),
    "01": ("month", r"\d\d"),
    "2": ("day", r"\d\d?"),
    "_2": ("day", r" ?\d\d?"),
    "02": ("day", r"\d\d"),
    "3": ("hour12", r"\d\d?"),
    "03": ("hour12", r"\d\d"),
    "15": ("hour", r"\d\d"),
    "4": ("minute", r"\d\d?"),
    "04": ("minute", r"\d\d"),
    "5": ("second", r"\d\d?"),
    "05": ("second", r"\d\d"),
    "06": ("short_year", r"\d\d"),
    "2006": ("year", r"\d{4}"),
    "002": ("year_day", r"\d{3}"),
}
_SECONDS: Final = ("5", "05")


def parse(layout: str, text: str) -> Time:
    """Return the instant that `text` shows, UTC where it names no offset.

    Raises FunctionError.
    """
    fields: dict[str, int] = {}
    zone = UTC
    pos = end = 0
    for element in LAYOUT.finditer(layout):
        pos = _literal(layout, text, layout[end : element.start()], pos)
        end = element.end()
        std = element.group()
        match = re.compile(_pattern(std)).match(text, pos)
        if match is None:
            raise _cannot(layout, text, text[pos:], std)
        pos = match.end()
        if std[0] in "Z-":
            zone = _zone(match.group())
        else:
            _take(std, match.group(), fields)
            if std in _SECONDS:
                pos = _fraction(text, pos, fields)
    pos = _literal(layout, text, layout[end:], pos)
    if pos < len(text):
        raise FunctionError(f"parsing time {quote(text)}: extra text: {quote(text[pos:])}")
    return _instant(layout, text, fields, zone)


def _literal(layout: str, text: str, literal: str, pos: int) -> int:
    if not text.startswith(literal, pos):
        raise _cannot(layout, text, text[pos:], literal)
    return pos + len(literal)


def _cannot(layout: str, text: str, rest: str, element: str) -> FunctionError:
    return FunctionError(
        f"parsing time {quote(text)} as {quote(layout)}: "
        f"cannot parse {quote(rest)} as {quote(element)}"
    )


def _pattern(std: str) -> str:
    if std in _NAMES:
        return "(?i:" + "|".join(_NAMES[std]) + ")"
    if std in _NUMBERS:
        return _NUMBERS[std][1]
    if std[0] in ".,":
        return rf"[.,]\d{{{len(std) - 1}}}" if std[1] == "0" else r"(?:[.,]\d{1,9})?"
    if std[0] in "Z-":
        colon = ":" if ":" in std else ""
        count = (len(std.replace(":", "")) - 1) // 2
        offset = r"[+-]" + colon.join([r"\d\d"] * count)
        return f"(?:Z|{offset})" if std[0] == "Z" else offset
    if std == "MST":
        return r"[A-Z]{3,4}"
    return r"(?i:[AP]M)" if std in ("PM", "pm") else re.escape(std)


def _take(std: str, found: str, fields: dict[str, int]) -> None:
    if std in _NUMBERS:
        fields[_NUMBERS[std][0]] = int(found)
    elif std in ("January", "Jan"):
        names = [name.lower() for name in _NAMES[std]]
        fields["month"] = names.index(found.lower()) + 1
    elif std in ("PM", "pm"):
        fields["afternoon"] = int(found.lower() == "pm")
    elif std[0] in ".," and found:
        fields["nanosecond"] = int(found[1:].ljust(9, "0"))


def _fraction(text: str, pos: int, fields: dict[str, int]) -> int:
    """Take a fraction of a second, which may follow also where the layout has none."""
    match = re.compile(r"[.,](\d{1,9})").match(text, pos)
    if match is None:
        return pos
    fields["nanosecond"] = int(match.group(1).ljust(9, "0"))
    return match.end()


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def _instant(layout: str, text: str, fields: dict[str, int], zone: timezone) -> Time:
    year = fields.get("year", 0)
    if "short_year" in fields:
        short = fields["short_year"]
        year = short + (1900 if short >= 69 else 2000)
    hour = fields.get("hour", 0)
    if "hour12" in fields:
        hour = fields["hour12"] % 12 + 12 * fields.get("afternoon", 0)
    try:
        moment = datetime(
            year or 1,
            fields.get("month", 1),
            fields.get("day", 1),
            hour,
            fields.get("minute", 0),
            fields.get("second", 0),
            tzinfo=zone,
        )
        if "year_day" in fields:
            moment += timedelta(days=fields["year_day"] - 1)
        seconds = (moment - EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise FunctionError(
            f"parsing time {quote(text)} as {quote(layout)}: out of range"
        ) from None
    return Time(seconds * SECOND + fields.get("nanosecond", 0), zone)
