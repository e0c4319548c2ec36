"""What `/api/v1/silences` takes and gives."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from controlplane.api.fields import DurationText, Text, TimeGiven, TimeText
from controlplane.api.v1.intervals import Interval
from controlplane.api.v1.schemas import AlertOut, LabelMap
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY
from controlplane.model.labels import Labels, is_utf8
from controlplane.model.matcher_syntax import format_matchers, parse_matcher, sort_matchers
from controlplane.model.matchers import Matcher
from controlplane.mute.silence import (
    LONGEST_ACKNOWLEDGED,
    Action,
    Silence,
    SilenceChange,
    SilenceState,
)


def _matcher(value: object) -> Matcher:
    if not isinstance(value, str) or not is_utf8(value):
        raise ValueError('a matcher is a text, such as team="shop"')
    try:
        return parse_matcher(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from None


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("must say something")
    return value


MatcherText = Annotated[
    Matcher,
    PlainValidator(_matcher),
    WithJsonSchema({"type": "string", "examples": ['team="shop"', 'instance=~"web-.+"']}),
]
Matchers = Annotated[list[MatcherText], Field(min_length=1, max_length=100)]
Intervals = Annotated[list[Interval], Field(default_factory=list, max_length=100)]
Author = Annotated[Text, AfterValidator(_said), Field(max_length=200)]
Comment = Annotated[Text, AfterValidator(_said), Field(max_length=4_096)]


class SilenceIn(BaseModel):
    """A silence: it begins now unless `starts_at` says otherwise, and ends by one of the others.

    `times` narrow it to recurring hours. With `until_resolved` it ends with the
    last alert that it matches, and needs no other end.
    """

    model_config = ConfigDict(extra="forbid")

    matchers: Matchers
    created_by: Author
    comment: Comment
    starts_at: TimeGiven | None = None
    ends_at: TimeGiven | None = None
    duration: DurationText | None = None
    until_resolved: bool = False
    times: Intervals
    annotations: LabelMap = Field(default_factory=dict)
    force: bool = False

    def to_silence(self, now: Timestamp) -> Silence:
        """Return the silence that is asked for. Raises InvalidInput."""
        starts_at = now if self.starts_at is None else max(now, self.starts_at)
        ends_at = given_end(self.ends_at, self.duration, starts_at)
        if ends_at is None and not self.until_resolved:
            raise InvalidInput(
                "say when it ends: ends_at, duration or until_resolved", pointer="/ends_at"
            )
        if ends_at is None:
            ends_at = starts_at + LONGEST_ACKNOWLEDGED
        if ends_at <= starts_at:
            raise InvalidInput("it would end before it begins", pointer="/ends_at")
        return Silence(
            matchers=sort_matchers(tuple(self.matchers)),
            starts_at=starts_at,
            ends_at=ends_at,
            created_by=self.created_by,
            comment=self.comment,
            annotations=Labels(self.annotations),
            times=tuple(each.to_interval() for each in self.times),
            until_resolved=self.until_resolved,
        )


class SilenceChanges(BaseModel):
    """What may be changed of a silence: its end, also counted from now, and its comment."""

    model_config = ConfigDict(extra="forbid")

    ends_at: TimeGiven = 0
    duration: DurationText = 0
    comment: Comment = ""

    def end(self, now: Timestamp) -> Timestamp | None:
        """Return the end that is asked for, or None. Raises InvalidInput."""
        ends_at = self.ends_at if "ends_at" in self.model_fields_set else None
        duration = self.duration if "duration" in self.model_fields_set else None
        return given_end(ends_at, duration, now)


class AcknowledgementIn(BaseModel):
    """Who takes an alert on, and what they say. `duration` bounds it, should it never end."""

    model_config = ConfigDict(extra="forbid")

    created_by: Author
    comment: Comment
    duration: DurationText = LONGEST_ACKNOWLEDGED


class PreviewIn(BaseModel):
    """A silence that is not there yet, and how far back to look."""

    model_config = ConfigDict(extra="forbid")

    matchers: Matchers
    times: Intervals
    window: DurationText = 7 * DAY

    def to_silence(self, now: Timestamp) -> Silence:
        """Return a silence that is in force now. Raises InvalidInput."""
        return Silence(
            matchers=sort_matchers(tuple(self.matchers)),
            starts_at=now,
            ends_at=now + 1,
            created_by="",
            comment="",
            times=tuple(each.to_interval() for each in self.times),
        )


class SilenceOut(BaseModel):
    """A silence as it stands. `in_hours` is false while recurring hours keep it from muting."""

    id: str
    state: SilenceState
    in_hours: bool
    matchers: list[str]
    created_by: str
    comment: str
    starts_at: TimeText
    ends_at: TimeText
    updated_at: TimeText
    until_resolved: bool
    times: list[Interval]
    annotations: dict[str, str]

    @classmethod
    def of(cls, silence: Silence, now: Timestamp) -> "SilenceOut":
        """Return the answer for a silence."""
        return cls(
            id=silence.id,
            state=silence.state(now),
            in_hours=silence.in_hours(now),
            matchers=[format_matchers((matcher,))[1:-1] for matcher in silence.matchers],
            created_by=silence.created_by,
            comment=silence.comment,
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            updated_at=silence.updated_at,
            until_resolved=silence.until_resolved,
            times=[Interval.of(interval) for interval in silence.times],
            annotations=dict(silence.annotations),
        )


class SilenceChangeOut(BaseModel):
    """What was done to a silence, by whom, and how it stood then."""

    at: TimeText
    action: Action
    by: str
    starts_at: TimeText
    ends_at: TimeText
    comment: str

    @classmethod
    def of(cls, change: SilenceChange) -> "SilenceChangeOut":
        """Return the answer for a change."""
        return cls(
            at=change.at,
            action=change.action,
            by=change.by,
            starts_at=change.silence.starts_at,
            ends_at=change.silence.ends_at,
            comment=change.silence.comment,
        )


class SilenceStoryOut(BaseModel):
    """A silence with all that was done to it, oldest first."""

    silence: SilenceOut
    history: list[SilenceChangeOut]


class PastOut(BaseModel):
    """What would have been hidden since a time.

    `alerts` counts how often one began, `notifications` those about none but
    such alerts. `complete` is false when there were too many to look at all.
    """

    since: TimeText
    alerts: int
    notifications: int
    complete: bool


class PreviewOut(BaseModel):
    """What a silence hides: how many alerts now, the first of them, and in the past.

    With `nearly_all` it needs `force` to be created.
    """

    nearly_all: bool
    hidden: int
    alerts: list[AlertOut]
    past: PastOut


def given_end(
    ends_at: Timestamp | None, duration: Duration | None, start: Timestamp
) -> Timestamp | None:
    """Return the end that a body names in one of two ways. Raises InvalidInput for both."""
    if ends_at is not None and duration is not None:
        raise InvalidInput("say either ends_at or duration", pointer="/duration")
    return ends_at if duration is None else start + duration
