"""What `/api/v1` takes and gives."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.fields import DurationText, Text, TimeText
from controlplane.model.labels import Labels
from controlplane.model.target import Target, TargetSpec

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
        )


class TargetOut(BaseModel):
    """A target as it is watched. `interval` is null where the default is in force."""

    id: str
    name: str
    url: str | None
    address: str | None
    module: str
    interval: DurationText | None
    labels: dict[str, str]
    metrics_url: str | None
    lease: DurationText | None
    provenance: Literal["file", "api", "discovered"]
    state: str
    paused: bool
    label_overrides: dict[str, str]
    operator: "OperatorOut | None"
    created_at: TimeText
    updated_at: TimeText
    renewed_at: TimeText
    expires_at: TimeText | None

    @classmethod
    def of(cls, target: Target, state: str) -> "TargetOut":
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
            provenance=target.provenance.value,
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
    """An alert with its state: pending, firing or resolved."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    state: str
    starts_at: TimeText
    ends_at: TimeText | None
    updated_at: TimeText
    generator_url: str


class AttemptOut(BaseModel):
    """One try to deliver a notification, as its receiver answered it."""

    time: TimeText
    outcome: str
    status_code: int | None
    detail: str


class DeadLetterOut(BaseModel):
    """A notification that was given up, and why. Redrive puts it back in the queue."""

    id: str
    receiver: str
    integration: str
    group_key: str
    status: str
    reason: str
    attempts: int
    created_at: TimeText
    died_at: TimeText


class ProblemOut(BaseModel):
    """RFC 9457. `type` is stable; `errors` names each place that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str
    errors: list["PlaceOut"]


class PlaceOut(BaseModel):
    """One wrong place: a JSON pointer, or `?name` for a parameter."""

    pointer: str
    detail: str
