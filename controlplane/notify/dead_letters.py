"""Tells that somebody was not told: one alert on each integration that has given up a message.

It goes the way of every alert; routing sees to it that it never goes to the
receiver alone that it is about. It ends with the next message that arrives
there, or an hour after the last one that did not.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError
from controlplane.model.alert import DEAD_LETTER, Alert, AlertStatus
from controlplane.model.duration import HOUR
from controlplane.model.labels import Labels
from controlplane.notify.channels import Channel
from controlplane.notify.message import Message
from controlplane.notify.ports import FindAlert
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Takes alerts; returns once they are durably accepted. Raises ControlPlaneError.
AcceptAlerts = Callable[[Sequence[Alert]], Awaitable[None]]

_LASTS: Final = HOUR


class DeadLetterAlerts:
    """Raises and ends the alerts. `find` gives the alert of a fingerprint as it is kept."""

    def __init__(self, accept: AcceptAlerts, find: FindAlert, clock: Clock) -> None:
        self._accept = accept
        self._find = find
        self._clock = clock
        self._fingerprints: dict[Channel, str] = {}

    async def died(self, channel: Channel, message: Message) -> None:
        """Raise the alert, or keep it up, because a message was given up."""
        if _is_about(channel, message):
            return  # that its own news does not arrive is no news
        now = self._clock.now()
        labels = _labels(channel)
        known = self._find(labels.fingerprint())
        fires = known is not None and known.status(now) is AlertStatus.FIRING
        alert = Alert(
            labels=labels,
            annotations=Labels(
                {
                    "summary": f"A notification to {channel[0]} ({channel[1]}) was given up",
                    "description": f"{message.failure}. It waits as dead letter {message.id}.",
                }
            ),
            starts_at=known.starts_at if known is not None and fires else now,
            ends_at=now + _LASTS,
            updated_at=now,
            correlation_id=message.correlation_id,
        )
        await self._tell(alert)

    async def arrived(self, channel: Channel) -> None:
        """End the alert, if there is one, because a message was taken."""
        fingerprint = self._fingerprints.get(channel)
        if fingerprint is None:
            fingerprint = self._fingerprints[channel] = _labels(channel).fingerprint()
        known, now = self._find(fingerprint), self._clock.now()
        if known is not None and known.status(now) is AlertStatus.FIRING:
            await self._tell(replace(known, ends_at=now, updated_at=now))

    async def _tell(self, alert: Alert) -> None:
        try:
            await self._accept([alert])
        except ControlPlaneError as refused:
            # The metric of dead messages, and the shipped rule on it, tell it too.
            log.error(
                "alert on a dead letter not accepted",
                receiver=alert.labels.value("receiver"),
                reason=str(refused),
            )


def _labels(channel: Channel) -> Labels:
    receiver, integration = channel
    return Labels(
        {
            "alertname": DEAD_LETTER,
            "receiver": receiver,
            "integration": integration,
            "severity": "critical",
        }
    )


def _is_about(channel: Channel, message: Message) -> bool:
    """Tell whether a message holds nothing but the alert on the receiver that it is for."""
    alerts = message.content.alerts
    return bool(alerts) and all(alert.labels == _labels(channel) for alert in alerts)
