"""A silence as somebody is writing it: the fields of the form, read one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.duration import HOUR, format_duration, parse_duration
from controlplane.model.matcher_syntax import format_matchers, parse_matchers, sort_matchers
from controlplane.model.matchers import Matcher
from controlplane.model.time_interval import (
    Span,
    TimeInterval,
    parse_times,
    parse_weekdays,
    time_zone,
)
from controlplane.mute.silence import LONGEST_ACKNOWLEDGED, Silence
from controlplane.ui.forms import Form

T = TypeVar("T")

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# What the form offers to choose from.
LENGTHS: Final = tuple(HOUR // 2 * halves for halves in (1, 2, 4, 8, 16, 48, 144, 336))
_LASTS: Final = 2 * HOUR
_MIDNIGHT: Final = "24:00"
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields, as they were filled in."""

    match: str = ""
    comment: str = ""
    starts: str = ""
    lasts: str = format_duration(_LASTS)
    ends: str = ""
    until_resolved: bool = False
    weekdays: Sequence[str] = ()
    from_time: str = ""
    to_time: str = ""
    zone: str = ""
    force: bool = False

    @classmethod
    def read(cls, form: Form) -> "Draft":
        """Return what a form, or an address, is filled with; matchers one to a line."""
        return cls(
            match=_spread("\n".join(form.all("match"))),
            comment=form.text("comment"),
            starts=form.text("starts"),
            lasts=form.text("lasts", format_duration(_LASTS)),
            ends=form.text("ends"),
            until_resolved=form.checked("until_resolved"),
            weekdays=[day for day in form.all("weekdays") if day in DAYS],
            from_time=form.text("from_time"),
            to_time=form.text("to_time"),
            zone=form.text("zone"),
            force=form.checked("force"),
        )

    @property
    def recurs(self) -> bool:
        """Tell whether it is narrowed to certain hours."""
        return bool(self.weekdays or self.from_time or self.to_time)

    def matchers(self) -> tuple[Matcher, ...]:
        """Return the matchers. Raises InvalidInput."""
        found = tuple(m for line in self.match.splitlines() for m in parse_matchers(line))
        if not found:
            raise InvalidInput('say what it silences, such as team="shop"')
        return sort_matchers(found)

    def times(self) -> tuple[TimeInterval, ...]:
        """Return the hours that it is narrowed to, none for always. Raises InvalidInput.

        Hours over midnight belong to the day on which they begin.
        """
        if not self.recurs:
            return ()
        time_zone(self.zone)
        days = [parse_weekdays(day).begin for day in self.weekdays]
        start, end = self.from_time or "00:00", self.to_time or _MIDNIGHT
        if start < end:
            return (self._interval(days, start, end),)
        evening = self._interval(days, start, _MIDNIGHT)
        if end == "00:00":
            return (evening,)
        return evening, self._interval([(day + 1) % _WEEK for day in days], "00:00", end)

    def _interval(self, days: Sequence[int], start: str, end: str) -> TimeInterval:
        return TimeInterval(
            times=(parse_times(start, end),),
            weekdays=tuple(Span(day, day) for day in sorted(days)) or None,
            location=self.zone or "UTC",
        )

    def begin(self, now: Timestamp) -> Timestamp:
        """Return when it begins, now at the earliest. Raises InvalidInput."""
        return max(now, self._instant(self.starts)) if self.starts else now

    def end(self, start: Timestamp) -> Timestamp:
        """Return when it ends. Raises InvalidInput."""
        if self.ends:
            end = self._instant(self.ends)
        elif self.until_resolved:
            end = start + LONGEST_ACKNOWLEDGED
        else:
            end = start + parse_length(self.lasts)
        if end <= start:
            raise InvalidInput("it would end before it begins")
        return end

    def _instant(self, text: str) -> Timestamp:
        """Return the instant of a local time such as `2026-11-22T08:30`. Raises InvalidInput."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidInput(f"{text!r} is no time such as 2026-11-22T08:30") from None
        zone = time_zone(self.zone)
        if moment.tzinfo is None:
            moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
        return round(moment.timestamp() * 1000)


def written(draft: Draft, author: str, now: Timestamp) -> tuple[Silence | None, dict[str, str]]:
    """Return the silence that a draft stands for, or what is wrong with its fields, by name."""
    wrong: dict[str, str] = {}

    def read(field: str, reading: Callable[[], T]) -> T | None:
        try:
            return reading()
        except InvalidInput as error:
            wrong[field] = error.reason
            return None

    matchers = read("match", draft.matchers)
    times = read("times", draft.times)
    start = read("starts", lambda: draft.begin(now))
    end = read("ends", lambda: draft.end(now if start is None else start))
    if not draft.comment:
        wrong["comment"] = "say why: whoever comes at night wants to know"
    if wrong or matchers is None or times is None or start is None or end is None:
        return None, wrong
    silence = Silence(
        matchers=matchers,
        starts_at=start,
        ends_at=end,
        created_by=author,
        comment=draft.comment,
        times=times,
        until_resolved=draft.until_resolved,
    )
    return silence, wrong


def in_force(draft: Draft, now: Timestamp) -> Silence:
    """Return the silence as if it were in force now, to see what it hides. Raises InvalidInput."""
    return Silence(draft.matchers(), now, now + 1, "", "", times=draft.times())


def parse_length(text: str) -> int:
    """Return a duration that is longer than nothing. Raises InvalidInput."""
    try:
        length = parse_duration(text)
    except ParseError as error:
        raise InvalidInput(str(error)) from None
    if not length:
        raise InvalidInput("it must last longer than nothing")
    return length


def field_of(error: InvalidInput, fields: Mapping[str, str]) -> str:
    """Return the field that an error of the API points at; `match` where it names none."""
    first = error.pointer.lstrip("/").partition("/")[0]
    return fields.get(first, "match")


def _spread(text: str) -> str:
    """Return matchers one to a line; what cannot be read stays as it is."""
    try:
        found = [matcher for line in text.splitlines() for matcher in parse_matchers(line)]
    except InvalidInput:
        return text
    return "\n".join(format_matchers((matcher,))[1:-1] for matcher in found)
