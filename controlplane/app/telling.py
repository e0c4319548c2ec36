"""What happens in the parts, put into the bus' events: for pages and streams that are open."""

from collections.abc import Sequence
from typing import Final

from controlplane.alerts.decision import Decision
from controlplane.clock import Clock, Timestamp
from controlplane.events.event import Data, Event, Kind
from controlplane.events.ports import Bus
from controlplane.model.alert import Alert
from controlplane.notify.message import Attempt, Message, MessageState, Outcome
from controlplane.targets.ports import Change, TargetChange
from controlplane.uptime.incident import Incident

# Of more changes at once one event tells: a page then reads its part anew.
_MANY: Final = 200


class Telling:
    """One method for each part that has something to tell. None blocks, none fails."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    def target(self, change: TargetChange) -> None:
        """Tell that a target appeared, changed or was removed."""
        change_of = {Change.ADDED: "added", Change.CHANGED: "changed", Change.REMOVED: "removed"}
        target = change.target
        data: Data = {
            "change": change_of[change.kind],
            "name": target.name,
            "paused": target.operator.paused,
        }
        self._bus.publish(Event(Kind.TARGET, target.id, self._clock.now(), data))

    def outcome(self, target_id: str, up: bool, reason: str) -> None:  # noqa: FBT001 - a state
        """Tell that a target went down, came back, or was probed for the first time."""
        data: Data = {"change": "state", "state": "up" if up else "down", "reason": reason}
        self._bus.publish(Event(Kind.TARGET, target_id, self._clock.now(), data))

    def alerts(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Tell that alerts fire, changed or ended."""
        if len(alerts) > _MANY:
            self._bus.publish(Event(Kind.ALERT, "", now, {"count": len(alerts)}))
            return
        for alert in alerts:
            data: Data = {
                "alertname": alert.labels.value("alertname"),
                "status": alert.status(now).value,
                "severity": alert.labels.value("severity"),
            }
            self._bus.publish(Event(Kind.ALERT, alert.fingerprint, now, data))

    def decided(self, decisions: Sequence[Decision]) -> None:
        """Tell what was decided on alerts: grouped, muted, queued."""
        if len(decisions) > _MANY:
            self._bus.publish(
                Event(Kind.ALERT, "", self._clock.now(), {"decisions": len(decisions)})
            )
            return
        for each in decisions:
            data: Data = {"decision": each.kind.value, "place": each.place}
            self._bus.publish(Event(Kind.ALERT, each.fingerprint, each.at, data))

    def attempt(self, message: Message, attempt: Attempt, state: MessageState) -> None:
        """Tell that a message was sent, that an attempt failed, or that it was given up."""
        failed = "dead" if state is MessageState.DEAD else "failed"
        data: Data = {
            "outcome": "sent" if attempt.outcome is Outcome.DELIVERED else failed,
            "receiver": message.receiver,
            "integration": message.integration,
            "attempt": attempt.number,
            "reason": "" if attempt.reason is None else attempt.reason.value,
        }
        self._bus.publish(Event(Kind.NOTIFICATION, str(message.id), self._clock.now(), data))

    def silences(self) -> None:
        """Tell that silences changed."""
        self._bus.publish(Event(Kind.SILENCE, "", self._clock.now()))

    def reloaded(self, good: bool) -> None:  # noqa: FBT001 - good or not
        """Tell that the configuration was read anew, or refused."""
        self._bus.publish(Event(Kind.CONFIG, "", self._clock.now(), {"good": good}))

    def incident(self, incident: Incident) -> None:
        """Tell that an incident of a status page was begun, told on, ended or removed."""
        data: Data = {"title": incident.title, "stage": incident.stage.value}
        self._bus.publish(Event(Kind.INCIDENT, incident.id, self._clock.now(), data))

    def maintenance(self) -> None:
        """Tell that planned maintenance changed."""
        self._bus.publish(Event(Kind.INCIDENT, "", self._clock.now(), {"maintenance": True}))
