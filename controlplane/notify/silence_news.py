"""Tells receivers that show it that somebody has silenced or acknowledged what they tell of."""

import asyncio
from collections.abc import Callable
from typing import Final

from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError, Fenced
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import Fence
from controlplane.model.labels import EMPTY
from controlplane.model.share import WHOLE, Share
from controlplane.notify.channels import Channels
from controlplane.notify.incident import Incident, Reason
from controlplane.notify.message import Content
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.outbox import enqueue
from controlplane.notify.ports import FindAlert, NotificationStore, ShowsSilences
from controlplane.notify.silenced import SilencedBy, quiet
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

# Silences that run out are noticed within so many seconds.
_INTERVAL: Final = 60.0
# While a message to an incident is under way it is looked at again so soon.
_AGAIN: Final = 1.0


class SilenceNews:
    """Compares what open incidents show of silences with what there is.

    A difference goes through the outbox as one more message of the incident,
    which says nothing new of its alerts. What is shown last stands in the
    incident itself, so nothing is lost by a restart, and nothing told twice.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        clock: Clock,
        *,
        silenced_by: SilencedBy,
        find_alert: FindAlert,
        wake: Callable[[], None],
        options: DeliveryOptions,
        metrics: NotifyMetrics,
        share: Share = WHOLE,
    ) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._outage = Outage(log, clock.monotonic)
        self._silenced_by = silenced_by
        self._find_alert = find_alert
        self._wake_worker = wake
        self._options = options
        self._metrics = metrics
        self._share = share
        self._woken = asyncio.Event()

    def configure(self, options: DeliveryOptions) -> None:
        """Use other options from now on."""
        self._options = options

    def wake(self) -> None:
        """Look now: a silence has changed."""
        self._woken.set()

    async def run(self) -> None:
        """Look whenever a silence changes, and now and then, until cancelled."""
        seconds = 0.0
        while True:
            await sleep_unless(self._clock, self._woken, seconds)
            self._woken.clear()
            try:
                seconds = _AGAIN if await self.look(self._clock.now()) else _INTERVAL
                self._outage.works("open incidents are looked through again")
            except ControlPlaneError as error:
                reason = str(error)
                self._outage.fails("open incidents could not be looked through", reason=reason)
                seconds = _AGAIN

    async def look(self, now: Timestamp) -> int:
        """Queue what is news; return how many incidents were too busy. Raises Unavailable."""
        busy, queued = 0, 0
        for incident in await self._store.open_incidents():
            await self._clock.sleep(0)  # groups may be large: others take their turn between two
            if not self._is_news(incident, now):
                continue
            if incident.queued is not None:
                busy += 1
            else:
                queued += await self._tell_ours(incident, now)
        if queued:
            self._wake_worker()
        return busy

    def _is_news(self, incident: Incident, now: Timestamp) -> bool:
        integration = self._channels.find((incident.receiver, incident.integration))
        if not isinstance(integration, ShowsSilences) or incident.retry_at > now:
            return False
        if not self._share.owns(incident.work):
            return False
        firing = self._firing(incident, now)
        return bool(firing) and integration.is_news(
            quiet(firing, self._silenced_by), incident.external
        )

    def _firing(self, incident: Incident, now: Timestamp) -> list[Alert]:
        """Return the alerts that the receiver was told fire, and that do."""
        told = incident.delivered.firing if incident.delivered is not None else ()
        found = (self._find_alert(name) for name in told)
        return [a for a in found if a is not None and a.status(now) is AlertStatus.FIRING]

    async def _tell_ours(self, incident: Incident, now: Timestamp) -> int:
        """Queue the message, unless another replica sees to it; return how many."""
        try:
            return await self._tell(incident.id, self._share.fence((incident.work,)), now)
        except Fenced:
            self._metrics.fenced.labels("silence news").inc()
            return 0

    async def _tell(self, incident_id: str, fence: Fence, now: Timestamp) -> int:
        """Queue the message, unless the incident has changed meanwhile; return how many."""
        async with self._store.begin(fence) as tx:
            incident = await tx.incident(incident_id)
            if incident is None or incident.closed_at is not None:
                return 0
            told = incident.delivered
            if told is None or incident.queued is not None or not self._is_news(incident, now):
                return 0
            last = await tx.last_message(incident_id)
            alerts = {} if last is None else {a.fingerprint: a for a in last.content.alerts}
            alerts |= {alert.fingerprint: alert for alert in self._firing(incident, now)}
            content = Content(
                group_key=incident.group_key,
                group_labels=incident.group_labels,
                reason=Reason.SILENCED,
                alerts=tuple(
                    alert for name, alert in alerts.items() if name in told.firing | told.resolved
                ),
                at=now,
                route_labels=EMPTY if last is None else last.content.route_labels,
            )
            message = await enqueue(
                tx, incident, told, content, max_age=self._options.max_age, now=now
            )
        self._metrics.queued.labels(Reason.SILENCED.value).inc()
        log.info(
            "notification queued",
            receiver=message.receiver,
            integration=message.integration,
            message=message.id,
            alerts=len(content.alerts),
            reason=Reason.SILENCED.value,
        )
        return 1
