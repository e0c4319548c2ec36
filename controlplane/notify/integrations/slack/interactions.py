"""What comes back from Slack: a signed request, the clicks in it, and what they do."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput, Unauthorized, Unavailable
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.secret import Secret
from controlplane.notify.channels import Channel
from controlplane.notify.integrations.slack.clicks import Click, clicks
from controlplane.notify.integrations.slack.metrics import SlackMetrics
from controlplane.notify.integrations.slack.signature import (
    SIGNATURE_HEADER,
    is_signed,
    signed_at,
)
from controlplane.notify.ports import FindAlert, NotificationStore
from controlplane.notify.silenced import Silenced
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


class Came(StrEnum):
    """What came of a request or a click, the label of the metric."""

    REFUSED = "refused"  # not signed, or not by Slack, or not now
    MALFORMED = "malformed"
    SILENCED = "silenced"
    REPEATED = "repeated"  # it was obeyed before
    OVER = "over"  # nothing fires that it could be about
    UNKNOWN = "unknown"  # a message of none of the incidents that are kept


@dataclass(frozen=True, slots=True)
class Clicked:
    """A click that was obeyed: on which alerts, and by which silence."""

    click: Click
    alerts: Sequence[Alert]
    silence: Silenced
    channel: Channel
    at: Timestamp


class Silence(Protocol):
    """Silences alerts, and no others, for a person."""

    async def __call__(
        self,
        alerts: Sequence[Alert],
        *,
        author: str,
        comment: str,
        since: Timestamp,
        lasts: Duration | None,
        once: str,
    ) -> Silenced | None:
        """Return the silence, durable; None when one was set for the same `once` before.

        Without `lasts` it is an acknowledgement: it ends with the last of the
        alerts. Raises InvalidInput, Overloaded, Unavailable.
        """
        ...


# The channels whose messages have buttons, with what Slack signs clicks on them with.
Signing = Callable[[], Iterable[tuple[Channel, Secret]]]


class Interactions:
    """Takes what Slack posts to the interactivity URL, and does what was clicked.

    A click acts on the alerts of its message that fire now, by one silence in
    the name of whoever clicked. Messages follow by themselves: whoever shows
    silences hears of it.
    """

    def __init__(
        self,
        store: NotificationStore,
        *,
        signing: Signing,
        find_alert: FindAlert,
        silence: Silence,
        record: Callable[[Clicked], None],
        metrics: SlackMetrics,
    ) -> None:
        self._store = store
        self._signing = signing
        self._find_alert = find_alert
        self._silence = silence
        self._record = record
        self._count = metrics.requests

    async def take(self, headers: Mapping[str, str], body: bytes, now: Timestamp) -> None:
        """Obey a request; header names are in lower case.

        Raises Unauthorized for one that Slack did not sign just now for a
        channel of ours, InvalidInput for one that cannot be read, Unavailable.
        """
        try:
            trusted = self._trusted(headers, body, now)
            found = clicks(body)
        except Unauthorized:
            self._count.labels(Came.REFUSED.value).inc()
            raise
        except InvalidInput:
            self._count.labels(Came.MALFORMED.value).inc()
            raise
        for click in found:
            came = await self._obey(click, trusted, now)
            self._count.labels(came.value).inc()
            log.info(
                "button clicked",
                action=click.action,
                by=click.user,
                incident=click.incident_id,
                came=came.value,
            )

    def _trusted(
        self, headers: Mapping[str, str], body: bytes, now: Timestamp
    ) -> Collection[Channel]:
        """Return the channels whose secret signed a request. Raises Unauthorized, Unavailable."""
        timestamp = signed_at(headers, now)
        given = headers.get(SIGNATURE_HEADER, "")
        trusted: set[Channel] = set()
        unread: Unavailable | None = None
        for channel, secret in self._signing():
            try:
                if is_signed(secret.reveal().strip(), timestamp, body, given):
                    trusted.add(channel)
            except Unavailable as error:
                unread = error
        if trusted:
            return trusted
        if unread is not None:
            raise unread
        raise Unauthorized("the signature is not Slack's")

    async def _obey(self, click: Click, trusted: Collection[Channel], now: Timestamp) -> Came:
        async with self._store.begin() as tx:
            incident = await tx.incident(click.incident_id)
        if incident is None or (incident.receiver, incident.integration) not in trusted:
            return Came.UNKNOWN
        told = incident.told.firing if incident.told is not None else ()
        found = (self._find_alert(name) for name in sorted(told))
        alerts = [a for a in found if a is not None and a.status(now) is AlertStatus.FIRING]
        if not alerts:
            return Came.OVER
        silence = await self._silence(
            alerts,
            author=f"slack:{click.user}",
            comment=_comment(click, alerts),
            since=min(click.at, now),
            lasts=click.lasts,
            once=click.id,
        )
        if silence is None:
            return Came.REPEATED
        channel = (incident.receiver, incident.integration)
        self._record(Clicked(click, alerts, silence, channel, now))
        return Came.SILENCED


def _comment(click: Click, alerts: Sequence[Alert]) -> str:
    names = sorted({alert.labels.value("alertname") for alert in alerts})
    about = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    done = "acknowledged" if click.lasts is None else "silenced"
    return f"{done} in Slack: {about}"
