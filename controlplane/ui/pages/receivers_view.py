"""Receivers as the page shows them: how each integration fares, its last attempts, who is worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Timestamp
from controlplane.notify.drill import Stage
from controlplane.notify.drills import DrillStatus
from controlplane.notify.health import Fare, Health
from controlplane.notify.message import Attempt, Message, Outcome
from controlplane.transport.breaker import BreakerState

# The state that stands beside the name, as the console's signs have them.
_FARES: Final[Mapping[Fare, str]] = {
    Fare.IDLE: "unknown",
    Fare.OK: "ok",
    Fare.FAILING: "error",
}
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.DELIVERED: "sent",
    Outcome.REFUSED: "failed",
    Outcome.UNKNOWN: "unknown",
}
_STAGES: Final[Mapping[Stage, str]] = {
    Stage.RAISED: "queued",
    Stage.DELIVERED: "queued",
    Stage.RESOLVED: "ok",
    Stage.FAILED: "error",
}


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """One integration; `state` is one of the console's signs."""

    health: Health
    state: str
    held: bool
    attempts: Sequence["AttemptView"]


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt, with the sign of its outcome."""

    attempt: Attempt
    state: str

    @property
    def answer(self) -> str:
        """What the service answered: its status, and why it failed."""
        parts = (str(self.attempt.status_code or ""), self.attempt.detail)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """A receiver; its state is that of its worst integration."""

    name: str
    state: str
    integrations: Sequence[IntegrationView]


@dataclass(frozen=True, slots=True)
class DrillView:
    """A drill of the file, its last run and when it runs next."""

    status: DrillStatus
    state: str
    next_at: Timestamp | None

    @property
    def under_way(self) -> bool:
        return self.status.last is not None and not self.status.last.stage.over


@dataclass(frozen=True, slots=True)
class DeadView:
    """A message that was given up, and what it was about."""

    message: Message

    @property
    def group(self) -> str:
        """The labels of the group that it told of, empty where it has none."""
        labels = self.message.content.group_labels
        return str(labels) if labels else ""

    @property
    def stories(self) -> Sequence[tuple[str, str]]:
        """Fingerprint and name of the first alerts that it told of."""
        return [(alert.fingerprint, alert.name) for alert in self.message.content.alerts[:3]]

    @property
    def more(self) -> int:
        return max(0, len(self.message.content.alerts) - 3)


def receiver_view(name: str, integrations: Sequence[Health]) -> ReceiverView:
    """Return how a receiver stands."""
    views = [
        IntegrationView(
            health=health,
            state=_FARES[health.fare],
            held=health.held > 0 or health.breaker is not BreakerState.CLOSED,
            attempts=[AttemptView(each, _OUTCOMES[each.outcome]) for each in health.attempts],
        )
        for health in integrations
    ]
    states = {view.state for view in views}
    worst = next((state for state in ("error", "ok", "unknown") if state in states), "unknown")
    return ReceiverView(name, worst, views)


def drill_view(status: DrillStatus, next_at: Timestamp | None) -> DrillView:
    """Return how a drill stands."""
    state = "unknown" if status.last is None else _STAGES[status.last.stage]
    return DrillView(status, state, next_at)
