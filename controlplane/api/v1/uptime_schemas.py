"""What the routes of uptime, incidents and maintenance take and give."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from controlplane.api.fields import Text, TimeGiven, TimeText
from controlplane.api.v1.intervals import Interval
from controlplane.errors import InvalidInput, ParseError
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher
from controlplane.model.target import Provenance
from controlplane.promql.parser import parse_selector
from controlplane.uptime.incident import Impact, Incident, Stage
from controlplane.uptime.incidents import LONGEST_TEXT, LONGEST_TITLE
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.reading import Bar


def _selector(value: object) -> tuple[Matcher, ...]:
    if not isinstance(value, str):
        raise ValueError('a selector is a text, such as {team="shop"}')  # noqa: TRY004 - for pydantic
    try:
        return tuple(parse_selector(value))
    except (ParseError, InvalidInput) as error:
        raise ValueError(error.reason) from None


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("must say something")
    return value.strip()


SelectorText = Annotated[
    tuple[Matcher, ...],
    PlainValidator(_selector),
    WithJsonSchema({"type": "string", "examples": ['{team="shop"}']}),
]
Title = Annotated[Text, AfterValidator(_said), Field(max_length=LONGEST_TITLE)]
Words = Annotated[Text, AfterValidator(_said), Field(max_length=LONGEST_TEXT)]
Names = Annotated[list[Annotated[Text, Field(max_length=200)]], Field(max_length=100)]


class BarOut(BaseModel):
    """A span of time: seconds up, down, in planned maintenance and unknown; latency in seconds.

    `uptime` is up / (up + down), and null where both are 0.
    """

    start: TimeText
    end: TimeText
    up: float
    down: float
    maintenance: float
    unknown: float
    uptime: float | None
    latency_avg: float | None
    latency_max: float | None

    @classmethod
    def of(cls, bar: Bar) -> "BarOut":
        """Return the answer for a bar."""
        return cls(
            start=bar.start,
            end=bar.end,
            up=round(bar.up, 3),
            down=round(bar.down, 3),
            maintenance=round(bar.maintenance, 3),
            unknown=round(bar.unknown, 3),
            uptime=bar.ratio,
            latency_avg=bar.latency_avg,
            latency_max=bar.latency_max,
        )


class UptimeOut(BaseModel):
    """The uptime of a target or a group: all of it, and a span at a time, the oldest first."""

    subject: str
    resolution: Literal["minute", "hour", "day"]
    total: BarOut
    items: list[BarOut]


class UpdateIn(BaseModel):
    """What is known now. `stage` resolved ends the incident, any other opens it again."""

    model_config = ConfigDict(extra="forbid")

    text: Words
    stage: Stage
    impact: Impact | None = None


class IncidentIn(BaseModel):
    """An incident: without `pages` it is on all, `services` are names as the pages show them."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    text: Words
    impact: Impact = Impact.DEGRADED
    stage: Stage = Stage.INVESTIGATING
    pages: Names = Field(default_factory=list)
    services: Names = Field(default_factory=list)


class UpdateOut(BaseModel):
    """An update, and who wrote it."""

    at: TimeText
    stage: Stage
    text: str
    by: str


class IncidentOut(BaseModel):
    """An incident with its updates, the oldest first."""

    id: str
    title: str
    impact: Impact
    stage: Stage
    pages: list[str]
    services: list[str]
    created_at: TimeText
    resolved_at: TimeText | None
    updates: list[UpdateOut]

    @classmethod
    def of(cls, incident: Incident) -> "IncidentOut":
        """Return the answer for an incident."""
        return cls(
            id=incident.id,
            title=incident.title,
            impact=incident.impact,
            stage=incident.stage,
            pages=list(incident.pages),
            services=list(incident.services),
            created_at=incident.created_at,
            resolved_at=incident.resolved_at,
            updates=[
                UpdateOut(at=each.at, stage=each.stage, text=each.text, by=each.by)
                for each in incident.updates
            ],
        )


class MaintenanceIn(BaseModel):
    """Planned maintenance of the targets that one of `match` selects.

    `times` narrow it to hours that come again.
    """

    model_config = ConfigDict(extra="forbid")

    title: Title
    match: Annotated[list[SelectorText], Field(min_length=1, max_length=100)]
    starts_at: TimeGiven | None = None
    ends_at: TimeGiven
    times: Annotated[list[Interval], Field(default_factory=list, max_length=100)]
    text: Annotated[Text, Field(max_length=LONGEST_TEXT)] = ""

    def to_plan(self, by: str, now: int) -> Maintenance:
        """Return the plan that is asked for. Raises InvalidInput."""
        return Maintenance(
            title=self.title,
            match=tuple(self.match),
            starts_at=now if self.starts_at is None else self.starts_at,
            ends_at=self.ends_at,
            times=tuple(each.to_interval() for each in self.times),
            text=self.text,
            created_by=by,
        )


class MaintenanceOut(BaseModel):
    """A plan. One that a file says has no end as long as it comes again."""

    id: str
    title: str
    match: list[str]
    starts_at: TimeText
    ends_at: TimeText | None
    times: list[Interval]
    text: str
    created_by: str
    provenance: Provenance
    under_way: bool
    targets: int

    @classmethod
    def of(cls, plan: Maintenance, targets: int, now: int) -> "MaintenanceOut":
        """Return the answer for a plan that concerns so many targets."""
        return cls(
            id=plan.id,
            title=plan.title,
            match=[format_matchers(each) for each in plan.match],
            starts_at=plan.starts_at,
            ends_at=plan.ends_at,
            times=[Interval.of(each) for each in plan.times],
            text=plan.text,
            created_by=plan.created_by,
            provenance=plan.provenance,
            under_way=plan.covers(now),
            targets=targets,
        )
