"""`/api/v1/uptime`: the uptime of a target or of a group of a status page, as JSON or CSV."""

import csv
import io
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.fields import TimeGiven
from controlplane.api.responses import problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.uptime_schemas import BarOut, UptimeOut
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import format_time
from controlplane.uptime.cells import Level
from controlplane.uptime.reading import group_subject, total

router = APIRouter(tags=["uptime"], responses=problems())


# Spans in one answer: a year of hours, more than a week of minutes.
_MOST: Final = 11_000
_CSV: Final = "text/csv"


class UptimeFilter(BaseModel):
    """Whose uptime, of when, in which steps."""

    model_config = ConfigDict(extra="forbid")

    target: Annotated[str, Field(description="Id or name of a target.")] = ""
    group: Annotated[str, Field(description="PAGE/GROUP of a status page.")] = ""
    from_: Annotated[
        TimeGiven | None, Field(alias="from", description="Thirty days before `to`.")
    ] = None
    to: Annotated[TimeGiven | None, Field(description="Now, if not given.")] = None
    resolution: Literal["minute", "hour", "day"] = "day"
    format: Literal["json", "csv"] = "json"


@router.get(
    "/api/v1/uptime",
    response_model=UptimeOut,
    responses={
        200: {"content": {_CSV: {"schema": {"type": "string"}}}},
        **problems(404),
    },
)
async def uptime(on: On, given: Annotated[UptimeFilter, Query()]) -> UptimeOut | Response:
    """Return uptime by the minute, hour or day; spans are whole, in UTC.

    `uptime` leaves out planned maintenance and what is unknown. Of a group the
    seconds are those of its average member.
    """
    now, level = on.clock.now(), Level[given.resolution.upper()]
    end = now if given.to is None else given.to
    start = end - level.unit * 30 if given.from_ is None else given.from_
    _check(start, end, level)
    subject, named = _subject(on, given)
    bars = await on.uptime.history(subject, level, start, end, now)
    items = [BarOut.of(bar) for bar in bars]
    if given.format == "csv":
        return Response(_as_csv(items), media_type=_CSV)
    whole = BarOut.of(total(bars))
    return UptimeOut(subject=named, resolution=given.resolution, total=whole, items=items)


def _subject(on: Surface, given: UptimeFilter) -> tuple[str, str]:
    """Return under what the uptime is kept, and what it is called. Raises NotFound."""
    if bool(given.target) == bool(given.group):
        raise InvalidInput("say either target or group", pointer="?target")
    if given.group:
        page, _, group = given.group.partition("/")
        on.status_pages.group(page, group)
        return group_subject(page, group), given.group
    target = on.targets.named(given.target) or on.targets.get(given.target)
    return target.id, target.name


def _check(start: Timestamp, end: Timestamp, level: Level) -> None:
    if not 0 <= start < end:
        raise InvalidInput("`from` must be before `to`", pointer="?from")
    if (end - start) // level.unit > _MOST:
        raise InvalidInput(f"more than {_MOST} spans: ask for fewer at a time", pointer="?from")


def _as_csv(items: list[BarOut]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(BarOut.model_fields)
    for bar in items:
        plain = bar.model_dump(mode="python")
        plain |= {"start": format_time(bar.start), "end": format_time(bar.end)}
        writer.writerow(["" if value is None else value for value in plain.values()])
    return text.getvalue()
