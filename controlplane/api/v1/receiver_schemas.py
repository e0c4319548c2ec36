"""What `/api/v1/receivers` and `/api/v1/drills` give."""

from collections.abc import Sequence

from pydantic import BaseModel

from controlplane.api.fields import DurationShown, TimeText
from controlplane.api.v1.schemas import AttemptOut
from controlplane.notify.drill import Stage
from controlplane.notify.drills import DrillStatus
from controlplane.notify.health import Fare, Health
from controlplane.notify.receiver_tests import Trial
from controlplane.transport.breaker import BreakerState


class IntegrationOut(BaseModel):
    """One integration of a receiver: how it fared lately, the newest attempt first.

    While its `breaker` is not closed, or it has asked for a pause, nothing is sent to it
    for `held_for`.
    """

    name: str
    state: Fare
    send_resolved: bool
    breaker: BreakerState
    held_for: DurationShown
    pending: int
    dead: int
    last_delivered_at: TimeText | None
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, health: Health) -> "IntegrationOut":
        """Return the answer for an integration."""
        return cls(
            name=health.integration,
            state=health.fare,
            send_resolved=health.send_resolved,
            breaker=health.breaker,
            held_for=round(health.held * 1000),
            pending=health.pending,
            dead=health.dead,
            last_delivered_at=health.last_delivered_at,
            attempts=[AttemptOut.of(attempt) for attempt in health.attempts],
        )


class ReceiverOut(BaseModel):
    """A receiver and its integrations."""

    name: str
    integrations: list[IntegrationOut]

    @classmethod
    def of(cls, name: str, integrations: Sequence[Health]) -> "ReceiverOut":
        """Return the answer for a receiver."""
        return cls(name=name, integrations=[IntegrationOut.of(each) for each in integrations])


class TrialOut(BaseModel):
    """What came of a test at one integration: told that an alert fires, then that it has ended.

    `resolved` is null when nothing had to be ended, and when that is still to come: then
    `resolve_pending` is true, and the outbox goes on until it has arrived.
    """

    integration: str
    delivered: bool
    firing: AttemptOut
    resolved: AttemptOut | None
    resolve_pending: bool

    @classmethod
    def of(cls, trial: Trial) -> "TrialOut":
        """Return the answer for an integration."""
        return cls(
            integration=trial.integration,
            delivered=trial.delivered,
            firing=AttemptOut.of(trial.fired),
            resolved=None if trial.ended is None else AttemptOut.of(trial.ended),
            resolve_pending=trial.end_waits,
        )


class TestOut(BaseModel):
    """The test of a receiver; `delivered` when every integration took the alert."""

    receiver: str
    delivered: bool
    integrations: list[TrialOut]

    @classmethod
    def of(cls, receiver: str, trials: Sequence[Trial]) -> "TestOut":
        """Return the answer for a test."""
        return cls(
            receiver=receiver,
            delivered=bool(trials) and all(trial.delivered for trial in trials),
            integrations=[TrialOut.of(trial) for trial in trials],
        )


class DrillRunOut(BaseModel):
    """One run of a drill; `fingerprint` leads to the story of its alert."""

    stage: Stage
    fingerprint: str
    started_at: TimeText
    delivered_at: TimeText | None
    ended_at: TimeText | None
    failure: str


class DrillOut(BaseModel):
    """A drill of the file, and its last run, if there was one since the start."""

    name: str
    receiver: str
    labels: dict[str, str]
    schedule: str
    location: str
    interval: DurationShown | None
    deliver_within: DurationShown
    resolve_within: DurationShown
    last_run: DrillRunOut | None

    @classmethod
    def of(cls, status: DrillStatus) -> "DrillOut":
        """Return the answer for a drill."""
        drill, run = status.drill, status.last
        return cls(
            name=drill.name,
            receiver=drill.receiver,
            labels=dict(drill.labels),
            schedule=drill.schedule,
            location=drill.location,
            interval=drill.interval or None,
            deliver_within=drill.deliver_within,
            resolve_within=drill.resolve_within,
            last_run=None
            if run is None
            else DrillRunOut(
                stage=run.stage,
                fingerprint=run.alert.fingerprint,
                started_at=run.started_at,
                delivered_at=run.delivered_at,
                ended_at=run.ended_at,
                failure=run.failure,
            ),
        )
