"""What `/api/v1` takes and gives."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.fields import (
    DependencyText,
    DurationShown,
    DurationText,
    Text,
    TimeText,
)
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.dependency import parse_dependencies
from controlplane.model.labels import Labels
from controlplane.model.target import Provenance, Target, TargetSpec
from controlplane.notify.incident import Reason
from controlplane.notify.message import Attempt, FailureReason, Message, MessageState, Outcome
from controlplane.targets.index import State
from controlplane.targets.registry import Edit

LabelMap = Annotated[dict[Text, Text], Field(max_length=64)]

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list; ask again with `cursor` for the next one."""

    items: list[Item]
    next_cursor: str | None = None


class TargetIn(BaseModel):
    """A registration. All that it says, and does not say, replaces what was there."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(examples=["checkout"])]
    url: Annotated[Text | None, Field(examples=["http://10.0.0.5:8000/health"])] = None
    address: Annotated[Text | None, Field(examples=["10.0.0.5:5432"])] = None
    module: Text = "http_2xx"
    interval: DurationText | None = None
    labels: LabelMap = Field(default_factory=dict)
    metrics_url: Text | None = None
    lease: DurationText | None = None
    depends_on: Annotated[list[DependencyText], Field(max_length=64)] = Field(default_factory=list)
    dashboard: Annotated[Text | None, Field(examples=["red"])] = None

    def to_spec(self) -> TargetSpec:
        """Return the registration as the registry takes it."""
        return TargetSpec(
            name=self.name,
            url=self.url,
            address=self.address,
            module=self.module,
            interval=self.interval,
            labels=Labels(self.labels),
            metrics_url=self.metrics_url,
            lease=self.lease,
            depends_on=parse_dependencies(self.depends_on),
            dashboard=self.dashboard,
        )


class TargetPatched(TargetIn):
    """What a merge patch may change: the registration, and the operator's part."""

    paused: bool = False
    label_overrides: LabelMap = Field(default_factory=dict)

    @classmethod
    def of(cls, edit: Edit) -> "TargetPatched":
        """Return what a patch is applied to."""
        spec = edit.spec
        return cls.model_construct(
            name=spec.name,
            url=spec.url,
            address=spec.address,
            module=spec.module,
            interval=spec.interval,
            labels=dict(spec.labels),
            metrics_url=spec.metrics_url,
            lease=spec.lease,
            depends_on=[str(each) for each in spec.depends_on],
            dashboard=spec.dashboard,
            paused=edit.paused,
            label_overrides=dict(edit.labels),
        )


class TargetOut(BaseModel):
    """A target as it is watched. `interval` is null where the default is in force."""

    id: str
    name: str
    url: str | None
    address: str | None
    module: str
    interval: DurationShown | None
    labels: dict[str, str]
    metrics_url: str | None
    lease: DurationShown | None
    depends_on: list[str]
    dashboard: str | None
    provenance: Provenance
    state: State
    paused: bool
    label_overrides: dict[str, str]
    operator: "OperatorOut | None"
    created_at: TimeText
    updated_at: TimeText
    renewed_at: TimeText
    expires_at: TimeText | None

    @classmethod
    def of(cls, target: Target, state: State) -> "TargetOut":
        """Return the answer for a target in a state."""
        spec, operator = target.spec, target.operator
        return cls(
            id=target.id,
            name=spec.name,
            url=spec.url,
            address=spec.address,
            module=spec.module,
            interval=spec.interval,
            labels=dict(spec.labels),
            metrics_url=spec.metrics_url,
            lease=spec.lease,
            depends_on=[str(each) for each in spec.depends_on],
            dashboard=spec.dashboard,
            provenance=target.provenance,
            state=state,
            paused=operator.paused,
            label_overrides=dict(operator.labels),
            operator=OperatorOut(actor=operator.actor, changed_at=operator.changed_at)
            if operator.changed_at is not None
            else None,
            created_at=target.created_at,
            updated_at=target.updated_at,
            renewed_at=target.renewed_at,
            expires_at=target.expires_at,
        )


class OperatorOut(BaseModel):
    """Who last paused the target or put labels over its own, and when."""

    actor: str
    changed_at: TimeText


class FailureOut(BaseModel):
    """One failed probe: its reason, of a closed set, and what was seen."""

    time: TimeText
    reason: str
    evidence: dict[str, object]


class AlertOut(BaseModel):
    """An alert: firing, or resolved a short while ago.

    A `suppressed` one is not told of: a silence, or another alert, mutes it. A
    `test` was made up, such as a fire drill: nothing is broken.
    """

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    state: AlertStatus
    starts_at: TimeText
    ends_at: TimeText | None
    updated_at: TimeText
    generator_url: str
    correlation_id: str
    receivers: list[str]
    suppressed: bool
    silenced_by: list[str]
    inhibited_by: list[str]
    test: bool

    @classmethod
    def of(
        cls,
        alert: Alert,
        now: Timestamp,
        receivers: Sequence[str],
        muting: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> "AlertOut":
        """Return the answer for an alert; while it fires nobody knows its end.

        `muting` are the silences and the alerts that mute it.
        """
        status = alert.status(now)
        silenced_by, inhibited_by = muting
        return cls(
            fingerprint=alert.fingerprint,
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
            state=status,
            starts_at=alert.starts_at,
            ends_at=alert.ends_at if status is AlertStatus.RESOLVED else None,
            updated_at=alert.updated_at,
            generator_url=alert.generator_url,
            correlation_id=alert.correlation_id,
            receivers=list(receivers),
            suppressed=bool(silenced_by or inhibited_by),
            silenced_by=list(silenced_by),
            inhibited_by=list(inhibited_by),
            test=alert.is_test,
        )


class AttemptOut(BaseModel):
    """One try to deliver, and how the receiver answered."""

    time: TimeText
    number: int
    outcome: Outcome
    seconds: float
    status_code: int | None
    reason: FailureReason | None
    detail: str

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptOut":
        """Return the answer for an attempt."""
        return cls(
            time=attempt.at,
            number=attempt.number,
            outcome=attempt.outcome,
            seconds=attempt.seconds,
            status_code=attempt.status_code,
            reason=attempt.reason,
            detail=attempt.detail,
        )


class NotificationOut(BaseModel):
    """A message to one integration of a receiver, with its attempts, oldest first."""

    id: str
    receiver: str
    integration: str
    reason: Reason
    state: MessageState
    group_key: str
    created_at: TimeText
    finished_at: TimeText | None
    next_attempt_at: TimeText | None
    failure: str
    correlation_id: str
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, message: Message, attempts: Sequence[Attempt]) -> "NotificationOut":
        """Return the answer for a message."""
        return cls(
            id=str(message.id),
            receiver=message.receiver,
            integration=message.integration,
            reason=message.content.reason,
            state=message.state,
            group_key=message.content.group_key,
            created_at=message.created_at,
            finished_at=message.finished_at,
            next_attempt_at=None if message.state.finished else message.next_attempt_at,
            failure=message.failure,
            correlation_id=message.correlation_id,
            attempts=[AttemptOut.of(attempt) for attempt in attempts],
        )


class EntryOut(BaseModel):
    """One entry of a story: when, what, and because of what; `place` is a receiver or below it."""

    at: TimeText
    what: str
    because: str
    place: str
    kind: str
    detail: dict[str, object]
    correlation_id: str


class StoryOut(BaseModel):
    """An alert with every decision on it in order, and all messages, the newest first."""

    alert: AlertOut | None
    entries: list[EntryOut]
    notifications: list[NotificationOut]
