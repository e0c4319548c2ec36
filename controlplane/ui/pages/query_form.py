"""What the address of the query page asks for; it carries all of it, so that it can be shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import (
    HOUR,
    format_duration,
    format_time,
    parse_duration,
    parse_time,
)
from controlplane.ui.asking import step_for

PATH: Final = "/query"
RANGES: Final = tuple(parse_duration(text) for text in ("15m", "1h", "6h", "1d", "7d", "30d"))
_LONGEST: Final = 100_000 * HOUR
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
# The names that Prometheus' own page gives them, for links that lead here.
_OTHERS: Final[Mapping[str, str]] = {
    "expr": "g0.expr",
    "range": "g0.range_input",
    "end": "g0.end_input",
    "step": "g0.step_input",
}


class Tab(StrEnum):
    """How an answer is shown."""

    TABLE = "table"
    GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class Asked:
    """One address: an expression and how to look at it.

    `step` is None where the page chooses one, `end` where it is now. `wrong`
    says of each field that cannot be read why; its default stands in for it.
    """

    expr: str = ""
    tab: Tab = Tab.TABLE
    span: Duration = HOUR
    step: Duration | None = None
    end: Timestamp | None = None
    wrong: tuple[tuple[str, str], ...] = ()

    @property
    def resolution(self) -> Duration:
        return self.step or step_for(self.span)

    def address(self) -> str:
        """Return the address that asks for this."""
        fields = {"expr": self.expr, "tab": self.tab.value, "range": format_duration(self.span)}
        if self.step is not None:
            fields["step"] = format_duration(self.step)
        if self.end is not None:
            fields["end"] = format_time(self.end)
        return f"{PATH}?{urlencode(fields)}"


def read_asked(params: QueryParams) -> Asked:
    """Return what an address asks for; what cannot be read is told, not refused."""
    wrong: list[tuple[str, str]] = []

    def given(name: str) -> str:
        return (params.get(name) or params.get(_OTHERS[name]) or "").strip()

    def duration(name: str) -> Duration | None:
        try:
            found = _duration(given(name))
        except InvalidInput as error:
            wrong.append((name, error.reason))
            return None
        return found

    def instant(name: str) -> Timestamp | None:
        try:
            return _instant(given(name))
        except InvalidInput as error:
            wrong.append((name, error.reason))
            return None

    span, step, end = duration("range"), duration("step"), instant("end")
    return Asked(
        expr=(params.get("expr") or params.get(_OTHERS["expr"]) or "").strip(),
        tab=_tab(params),
        span=HOUR if span is None else span,
        step=step,
        end=end,
        wrong=tuple(wrong),
    )


def _tab(params: QueryParams) -> Tab:
    if params.get("tab") in tuple(Tab):
        return Tab(params["tab"])
    # Prometheus numbers its tabs, and links to the table.
    return Tab.GRAPH if params.get("g0.tab") == "0" else Tab.TABLE


def _duration(text: str) -> Duration | None:
    """Return a duration as Prometheus writes it, or in seconds; None for nothing."""
    if not text:
        return None
    found = (
        round(float(text) * 1000) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    )
    if not 0 < found <= _LONGEST:
        raise InvalidInput(f"{text} is not between 1ms and {format_duration(_LONGEST)}")
    return found


def _instant(text: str) -> Timestamp | None:
    """Return an instant in RFC 3339, in UTC where no zone is given, or in Unix seconds."""
    if not text or text == "now":
        return None
    if text.replace(".", "", 1).isdecimal() and float(text) <= _LAST_SECOND:
        return round(float(text) * 1000)
    for zoned in (text, f"{text}Z"):
        try:
            return parse_time(zoned)
        except InvalidInput:
            continue
    raise InvalidInput(f"{text!r} is no time: write 2026-11-22T08:00:00Z, Unix seconds or now")
