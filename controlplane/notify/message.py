"""What stands in the outbox: a message to one integration, and its attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import EMPTY, Labels
from controlplane.notify.incident import Reason, Told
from controlplane.notify.time_limit import TimeLimit


class MessageState(StrEnum):
    """The life of a message: queued and sending alternate until one of the others."""

    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    DEAD = "dead"

    @property
    def finished(self) -> bool:
        return self not in (MessageState.QUEUED, MessageState.SENDING)


class Outcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # clearly not delivered
    UNKNOWN = "unknown"  # it may have arrived


class FailureReason(StrEnum):
    """Alertmanager's taxonomy, the label of its failure metric."""

    OTHER = "other"
    CLIENT_ERROR = "clientError"
    SERVER_ERROR = "serverError"
    CONTEXT_CANCELED = "contextCanceled"
    CONTEXT_DEADLINE_EXCEEDED = "contextDeadlineExceeded"
    AUTH_ERROR = "authError"
    RATE_LIMITED = "rateLimited"


@dataclass(frozen=True, slots=True)
class Content:
    """The group as it was when the decision was taken; rendered when it is sent.

    Whether an alert is firing is judged at `at`. The values of `route_labels`
    are templates.
    """

    group_key: str
    group_labels: Labels
    reason: Reason
    alerts: tuple[Alert, ...]
    at: Timestamp
    route_labels: Labels = EMPTY

    def status_of(self, alert: Alert) -> AlertStatus:
        return alert.status(self.at)

    def correlation_id(self) -> str:
        """Return the id of what changed the state of an alert last: that is what is told."""
        changes = [
            (alert.ends_at if alert.ends_at <= self.at else alert.starts_at, alert.correlation_id)
            for alert in self.alerts
            if alert.correlation_id
        ]
        return max(changes, default=(0, ""))[1]


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the outbox. `id` is 0 until it is stored, then counts upwards.

    Messages of one incident are sent in the order of their ids. `attempts`
    counts those begun; `exposed_before` is the incident's `exposed` when the
    last of them began.
    """

    id: int
    incident_id: str
    receiver: str
    integration: str
    told: Told
    content: Content
    created_at: Timestamp
    next_attempt_at: Timestamp
    expires_at: Timestamp
    correlation_id: str = ""
    state: MessageState = MessageState.QUEUED
    attempts: int = 0
    exposed_before: bool = False
    owner: str = ""
    lease_until: Timestamp = 0
    finished_at: Timestamp | None = None
    failure: str = ""  # the reason of the last failed attempt, in words

    @property
    def channel(self) -> tuple[str, str]:
        """The receiver and its integration: what has a queue and a breaker of its own."""
        return (self.receiver, self.integration)

    def begun(self, seat: "Seat", *, exposed: bool) -> "Message":
        """Return the message as claimed: `exposed` is its incident's before this attempt.

        A lease that ran out was an attempt whose outcome nobody knows.
        """
        return replace(
            self,
            state=MessageState.SENDING,
            attempts=self.attempts + 1,
            exposed_before=exposed,
            owner=seat.owner,
            lease_until=seat.lease_until,
        )


@dataclass(frozen=True, slots=True)
class Seat:
    """Leave to begin one attempt: who makes it, and until when nobody else may."""

    owner: str
    lease_until: Timestamp


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, how long, and what came of it. Holds no URL and no secret."""

    message_id: int
    number: int
    at: Timestamp
    seconds: float
    outcome: Outcome
    status_code: int | None = None
    reason: FailureReason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """What an integration is given to send.

    `key` is the same for all messages of one incident; `external` and
    `delivered` are what the last delivered message left behind. An attempt
    has so many `seconds`: an integration that ends it by itself knows whether
    anything was sent; a second later it is ended from outside, by `limit`.
    """

    receiver: str
    integration: str
    key: str
    content: Content
    delivered: Told | None = None
    external: Mapping[str, str] = field(default_factory=dict)
    correlation_id: str = ""
    seconds: float = 10.0
    incident_id: str = ""
    limit: TimeLimit | None = field(default=None, compare=False, repr=False)

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that fire."""
        status_of = self.content.status_of
        return tuple(a for a in self.content.alerts if status_of(a) is AlertStatus.FIRING)

    @property
    def status(self) -> AlertStatus:
        """Firing as long as one alert is."""
        firing = any(
            self.content.status_of(alert) is AlertStatus.FIRING for alert in self.content.alerts
        )
        return AlertStatus.FIRING if firing else AlertStatus.RESOLVED


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is ours to attempt until its lease runs out."""

    message: Message
    notification: Notification


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message arrived; `external` is kept with the incident for the next one.

    `cut` counts the parts that the service has no room for; the message says so.
    """

    status_code: int | None = None
    cut: int = 0
    external: Mapping[str, str] = field(default_factory=dict)
