"""What `/api/v1/autoscaling` takes and gives."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.fields import DurationShown, DurationText, Text, TimeText
from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import Mode
from controlplane.autoscale.owned import Owned
from controlplane.autoscale.replay import Replayed, Track
from controlplane.config.autoscaling import POLICY
from controlplane.model.duration import DAY
from controlplane.model.target import Provenance


class VerdictOut(BaseModel):
    """What one metric said: its value, how many replicas it asks for, and why."""

    metric: str
    value: float | None
    proposal: int | None
    verdict: str
    because: str

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictOut":
        """Return the answer for a verdict."""
        return cls(
            metric=verdict.metric,
            value=verdict.value,
            proposal=verdict.proposal,
            verdict=verdict.verdict,
            because=str(verdict.because),
        )


class DecisionOut(BaseModel):
    """A decision with its trace: the metrics, and in order what was done to what they ask for."""

    policy: str
    at: TimeText
    mode: Mode
    outcome: Outcome
    current: int | None
    desired: int | None
    metrics: list[VerdictOut]
    steps: list[str]
    correlation_id: str

    @classmethod
    def of(cls, decision: Decision) -> "DecisionOut":
        """Return the answer for a decision."""
        return cls(
            policy=decision.policy,
            at=decision.at,
            mode=decision.mode,
            outcome=decision.outcome,
            current=decision.current,
            desired=decision.desired,
            metrics=[VerdictOut.of(each) for each in decision.verdicts],
            steps=[str(each) for each in decision.steps],
            correlation_id=decision.correlation_id,
        )


class ScalingPolicyOut(BaseModel):
    """A policy, who owns it, and what it decided last, if it has."""

    name: str
    scales: str
    mode: Mode
    min_replicas: int
    max_replicas: int
    interval: DurationShown
    provenance: Provenance
    decision: DecisionOut | None

    @classmethod
    def of(cls, owned: Owned, decision: Decision | None) -> "ScalingPolicyOut":
        """Return the answer for a policy."""
        policy = owned.policy
        return cls(
            name=policy.name,
            scales=policy.scales,
            mode=policy.mode,
            min_replicas=policy.min_replicas,
            max_replicas=policy.max_replicas,
            interval=policy.interval,
            provenance=owned.provenance,
            decision=None if decision is None else DecisionOut.of(decision),
        )


class ScalingSpecOut(BaseModel):
    """A policy as the file would have it; who sent it, and when, is known of those of the API."""

    name: str
    provenance: Provenance
    spec: dict[str, Any]
    actor: str
    created_at: TimeText | None
    updated_at: TimeText | None

    @classmethod
    def of(cls, owned: Owned) -> "ScalingSpecOut":
        """Return the answer for a policy."""
        return cls(
            name=owned.policy.name,
            provenance=owned.provenance,
            spec=POLICY.show(owned.policy),
            actor=owned.actor,
            created_at=owned.created_at,
            updated_at=owned.updated_at,
        )


class DesiredOut(BaseModel):
    """How many replicas there should be, as KEDA's metrics-api scaler reads it at `desired`."""

    policy: str
    desired: int
    current: int | None
    min_replicas: int
    max_replicas: int
    outcome: Outcome
    at: TimeText


class ReplayGiven(BaseModel):
    """How far back to go, and with which other policy to compare."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[DurationText, Field(description="How far back.", le=400 * DAY)] = DAY
    against: Annotated[Text | None, Field(description="Another policy, over the same time.")] = None


class ChangeOut(BaseModel):
    """From when on there were so many replicas."""

    at: TimeText
    replicas: int


class TrackOut(BaseModel):
    """What it cost, how long a metric was over its limit, and how the number went."""

    replica_hours: float
    over_threshold: DurationShown
    unknown: DurationShown
    least: int
    most: int
    changes: int
    replicas: list[ChangeOut]

    @classmethod
    def of(cls, track: Track) -> "TrackOut":
        """Return the answer for a track."""
        return cls(
            replica_hours=round(track.replica_hours, 3),
            over_threshold=track.over,
            unknown=track.blind,
            least=track.least,
            most=track.most,
            changes=max(0, len(track.changes) - 1),
            replicas=[ChangeOut(at=at, replicas=number) for at, number in track.changes],
        )


class ReplayOut(BaseModel):
    """What a policy would have done; what was done, where its `replicas` were counted."""

    policy: str
    start: TimeText
    end: TimeText
    step: DurationShown
    would: TrackOut
    actual: TrackOut | None

    @classmethod
    def of(cls, replayed: Replayed) -> "ReplayOut":
        """Return the answer for a replay."""
        return cls(
            policy=replayed.policy,
            start=replayed.start,
            end=replayed.end,
            step=replayed.step,
            would=TrackOut.of(replayed.would),
            actual=None if replayed.actual is None else TrackOut.of(replayed.actual),
        )


class ReplaysOut(BaseModel):
    """One replay, or two of policies that are compared."""

    replays: list[ReplayOut]
