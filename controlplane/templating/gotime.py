"""Go's time.Time and time.Duration for templates: layouts, arithmetic, printing."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controlplane.clock import Timestamp
from controlplane.templating.errors import FunctionError
from controlplane.templating.values import DURATION, INT, STRING, Method, Struct

TIME: Final = "time.Time"

NANOSECOND: Final = 1
MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

# 0001-01-01T00:00:00Z, Go's zero time, in nanoseconds since the Unix epoch.
ZERO: Final = -62_135_596_800 * SECOND
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS: Final = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

# Longer elements before their own beginnings; order as in Go's nextStdChunk.
LAYOUT: Final = re.compile(
    r"January|Jan|Monday|Mon|MST|01|02|03|04|05|06|002|2006|__2|_2006|_2|15|PM|pm"
    r"|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07"
    r"|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5"
)


class Duration(int, Struct):
    """A span in nanoseconds."""

    __slots__ = ()
    GO_TYPE: ClassVar[str] = DURATION
    METHODS: ClassVar = {
        "String": Method("go_string"),
        "Seconds": Method("seconds"),
        "Minutes": Method("minutes"),
        "Hours": Method("hours"),
        "Nanoseconds": Method("nanoseconds"),
        "Microseconds": Method("microseconds"),
        "Milliseconds": Method("milliseconds"),
        "Round": Method("round_to", (DURATION,)),
        "Truncate": Method("truncate", (DURATION,)),
        "Abs": Method("absolute"),
    }

    def go_string(self) -> str:
        """Return it as Go prints it: 90 s is `1m30s`, 1500 µs is `1.5ms`."""
        value = abs(int(self))
        sign = "-" if self < 0 else ""
        if value == 0:
            return "0s"
        if value < SECOND:
            for size, unit in ((MILLISECOND, "ms"), (MICROSECOND, "µs"), (NANOSECOND, "ns")):
                if value >= size:
                    return f"{sign}{_fraction(value, size)}{unit}"
        hours, rest = divmod(value, HOUR)
        minutes, rest = divmod(rest, MINUTE)
        text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{text}{_fraction(rest, SECOND)}s"

    def seconds(self) -> float:
        return self / SECOND

    def minutes(self) -> float:
        return self / MINUTE

    def hours(self) -> float:
        return self / HOUR

    def nanoseconds(self) -> int:
        return int(self)

    def microseconds(self) -> int:
        return _toward_zero(self, MICROSECOND)

    def milliseconds(self) -> int:
        return _toward_zero(self, MILLISECOND)

    def truncate(self, unit: int) -> "Duration":
        return Duration(_toward_zero(self, unit) * unit) if unit > 0 else self

    def round_to(self, unit: int) -> "Duration":
        """Return the nearest multiple of `unit`; halves go away from zero."""
        if unit <= 0:
            return self
        half = _toward_zero(abs(self) * 2 + unit, unit * 2) * unit
        return Duration(half if self >= 0 else -half)

    def absolute(self) -> "Duration":
        return Duration(abs(self))


class Named(int, Struct):
    """A number that prints as a name: a month or a day of the week."""

    NAMES: ClassVar[list[str]] = []
    METHODS: ClassVar = {"String": Method("go_string")}

    def go_string(self) -> str:
        return self.NAMES[self]


class Month(Named):
    GO_TYPE: ClassVar[str] = "time.Month"
    NAMES: ClassVar[list[str]] = ["%!Month(0)", *MONTHS]


class Weekday(Named):
    GO_TYPE: ClassVar[str] = "time.Weekday"
    NAMES: ClassVar[list[str]] = DAYS


@dataclass(frozen=True, slots=True)
class Time(Struct):
    """An instant in nanoseconds since the Unix epoch, seen in a time zone."""

    nanoseconds: int
    zone: tzinfo = UTC

    GO_TYPE: ClassVar[str] = TIME
    METHODS: ClassVar = {
        "String": Method("go_string"),
        "Format": Method("format", (STRING,)),
        "Unix": Method("unix"),
        "UnixMilli": Method("unix_milli"),
        "UnixMicro": Method("unix_micro"),
        "UnixNano": Method("unix_nano"),
        "UTC": Method("utc"),
        "Local": Method("utc"),
        "IsZero": Method("is_zero"),
        "Year": Method("year"),
        "Month": Method("month"),
        "Day": Method("day"),
        "Hour": Method("hour"),
        "Minute": Method("minute"),
        "Second": Method("second"),
        "Nanosecond": Method("nanosecond"),
        "Weekday": Method("weekday"),
        "YearDay": Method("year_day"),
        "Add": Method("add", (DURATION,)),
        "AddDate": Method("add_date", (INT, INT, INT)),
        "Sub": Method("sub", (TIME,)),
        "Before": Method("before", (TIME,)),
        "After": Method("after", (TIME,)),
        "Equal": Method("equal", (TIME,)),
        "Compare": Method("compare", (TIME,)),
        "Truncate": Method("truncate", (DURATION,)),
        "Round": Method("round_to", (DURATION,)),
    }

    @classmethod
    def of(cls, instant: Timestamp) -> "Time":
        """Return an instant given in milliseconds."""
        return cls(instant * MILLISECOND)

    @classmethod
    def zero(cls) -> "Time":
        return cls(ZERO)

    def moment(self) -> datetime:
        """Return the instant to the microsecond. Raises FunctionError outside years 1-9999."""
        try:
            utc = EPOCH + timedelta(microseconds=self.nanoseconds // 1_000)
            return utc.astimezone(self.zone)
        except OverflowError:
            raise FunctionError("time outside the years 1 to 9999") from None

    def go_string(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def format(self, layout: str) -> str:
        """Return the instant in a layout that shows Mon Jan 2 15:04:05 MST 2006."""
        moment, nano = self.moment(), self.nanosecond()
        return LAYOUT.sub(lambda match: _element(match.group(), moment, nano), layout)

    def rfc3339(self) -> str:
        """Return the instant as Go's encoding/json writes it: RFC 3339, to the nanosecond."""
        if self.zone is not UTC:
            return self.format("2006-01-02T15:04:05.999999999Z07:00")
        seconds, nano = divmod(self.nanoseconds, SECOND)
        fraction = f".{nano:09d}".rstrip("0") if nano else ""
        return f"{_utc_second(seconds)}{fraction}Z"

    def in_zone(self, name: str) -> "Time":
        """Return the instant seen in a zone of the tz database. Raises FunctionError."""
        return Time(self.nanoseconds, zone_named(name))

    def unix(self) -> int:
        return self.nanoseconds // SECOND

    def unix_milli(self) -> int:
        return self.nanoseconds // MILLISECOND

    def unix_micro(self) -> int:
        return self.nanoseconds // MICROSECOND

    def unix_nano(self) -> int:
        return self.nanoseconds

    def utc(self) -> "Time":
        return Time(self.nanoseconds)

    def is_zero(self) -> bool:
        return self.nanoseconds == ZERO

    def year(self) -> int:
        return self.moment().year

    def month(self) -> Month:
        return Month(self.moment().month)

    def day(self) -> int:
        return self.moment().day

    def hour(self) -> int:
        return self.moment().hour

    def minute(self) -> int:
        return self.moment().minute

    def second(self) -> int:
        return self.moment().second

    def nanosecond(self) -> int:
        return self.nanoseconds % SECOND

    def weekday(self) -> Weekday:
        return Weekday(self.moment().isoweekday() % 7)

    def year_day(self) -> int:
        return self.moment().timetuple().tm_yday

    def add(self, duration: int) -> "Time":
        return Time(self.nanoseconds + duration, self.zone)

    def add_date(self, years: int, months: int, days: int) -> "Time":
        """Return the same time of day some years, months and days on; 31 June is 1 July."""
        moment = self.moment()
        year, month = divmod((moment.year + years) * 12 + moment.month - 1 + months, 12)
        try:
            first = moment.replace(year=year, month=month + 1, day=1)
            moved = first + timedelta(days=moment.day - 1 + days)
        except (OverflowError, ValueError):
            raise FunctionError("time outside the years 1 to 9999") from None
        seconds = (moved.astimezone(UTC) - EPOCH) // timedelta(seconds=1)
        return Time(seconds * SECOND + self.nanosecond(), self.zone)

    def sub(self, other: "Time") -> Duration:
        return Duration(self.nanoseconds - other.nanoseconds)

    def before(self, other: "Time") -> bool:
        return self.nanoseconds < other.nanoseconds

    def after(self, other: "Time") -> bool:
        return self.nanoseconds > other.nanoseconds

    def equal(self, other: "Time") -> bool:
        return self.nanoseconds == other.nanoseconds

    def compare(self, other: "Time") -> int:
        return (self.nanoseconds > other.nanoseconds) - (self.nanoseconds < other.nanoseconds)

    def truncate(self, unit: int) -> "Time":
        if unit <= 0:
            return self
        since_zero = self.nanoseconds - ZERO
        return Time(self.nanoseconds - since_zero % unit, self.zone)

    def round_to(self, unit: int) -> "Time":
        return Time(self.nanoseconds + unit // 2, self.zone).truncate(unit)


@lru_cache(maxsize=1024)
def _utc_second(seconds: int) -> str:
    """Return a second since the Unix epoch; the alerts of a group share most of theirs."""
    return Time(seconds * SECOND).moment().strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def zone_named(name: str) -> tzinfo:
    """Return a zone of the tz database. Raises FunctionError for an unknown one."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FunctionError(f"unknown time zone {name}") from None


def _element(std: str, moment: datetime, nano: int) -> str:
    """Return one element of a layout, such as `2006` or `PM`, for a moment."""
    if std[0] in ".,":
        digits = f"{nano:09d}"[: len(std) - 1].ljust(len(std) - 1, "0")
        if std[1] == "9":
            digits = digits.rstrip("0")
        return std[0] + digits if digits else ""
    if std[0] in "Z-":
        return _offset(std, moment)
    hour12 = moment.hour % 12 or 12
    month, day = MONTHS[moment.month - 1], DAYS[moment.isoweekday() % 7]
    year_day = moment.timetuple().tm_yday
    return {
        "January": month,
        "Jan": month[:3],
        "Monday": day,
        "Mon": day[:3],
        "MST": _zone_name(moment),
        "1": str(moment.month),
        "01": f"{moment.month:02d}",
        "2": str(moment.day),
        "_2": f"{moment.day:2d}",
        "02": f"{moment.day:02d}",
        "__2": f"{year_day:3d}",
        "002": f"{year_day:03d}",
        "3": str(hour12),
        "03": f"{hour12:02d}",
        "15": f"{moment.hour:02d}",
        "4": str(moment.minute),
        "04": f"{moment.minute:02d}",
        "5": str(moment.second),
        "05": f"{moment.second:02d}",
        "06": f"{moment.year % 100:02d}",
        "2006": f"{moment.year:04d}",
        "_2006": f"_{moment.year:04d}",
        "PM": "PM" if moment.hour >= 12 else "AM",
        "pm": "pm" if moment.hour >= 12 else "am",
    }[std]


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or ""
    return name if name and name[0] not in "+-" else _offset("-07", moment)


def _offset(std: str, moment: datetime) -> str:
    """Return the zone's offset as one of Go's `Z07:00`, `-0700`, `-07` shows it."""
    delta = moment.utcoffset() or timedelta()
    if std[0] == "Z" and not delta:
        return "Z"
    total = round(delta.total_seconds())
    sign = "-" if total < 0 else "+"
    hours, rest = divmod(abs(total), 3600)
    parts = [f"{hours:02d}", f"{rest // 60:02d}", f"{rest % 60:02d}"]
    count = (len(std.replace(":", "")) - 1) // 2
    return sign + (":" if ":" in std else "").join(parts[:count])


def _fraction(value: int, unit: int) -> str:
    """Return value / unit exactly, without trailing zeros."""
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).rjust(len(str(unit)) - 1, '0')}".rstrip("0")


def _toward_zero(value: int, unit: int) -> int:
    quotient = abs(value) // unit
    return quotient if value >= 0 else -quotient
