"""Resolves incidents that no group owns: their rule, route or receiver is gone."""

from collections.abc import Callable
from itertools import chain
from typing import Final

from controlplane.clock import Clock, Timestamp
from controlplane.errors import ControlPlaneError, Fenced
from controlplane.model.alert import AlertStatus
from controlplane.model.share import WHOLE, Share
from controlplane.notify.channels import Channels
from controlplane.notify.incident import Incident, Reason
from controlplane.notify.message import Content
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.outbox import ended, resolve
from controlplane.notify.ports import (
    FindAlert,
    Fresh,
    NotificationStore,
    NotificationTransaction,
    OwnedGroups,
    always_fresh,
)
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

_INTERVAL: Final = 15.0


class Sweeper:
    """Sees to it that every incident ends, also the orphaned ones.

    An orphan is resolved with its own key when its alerts have ended, or at
    once when its integration was removed. Of several replicas each sees to
    those of its `share`.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        clock: Clock,
        *,
        owned: OwnedGroups,
        find_alert: FindAlert,
        wake: Callable[[], None],
        options: DeliveryOptions,
        metrics: NotifyMetrics,
        share: Share = WHOLE,
        fresh: Fresh = always_fresh,
    ) -> None:
        """`fresh` is awaited before groups and alerts are compared with the incidents."""
        self._store = store
        self._channels = channels
        self._clock = clock
        self._outage = Outage(log, clock.monotonic)
        self._owned = [owned]
        self._find_alert = find_alert
        self._wake = wake
        self._options = options
        self._metrics = metrics
        self._share = share
        self._fresh = fresh

    def leave(self, owned: OwnedGroups) -> None:
        """Leave alone what somebody else owns, who sees to its end."""
        self._owned.append(owned)

    def configure(self, options: DeliveryOptions) -> None:
        """Use other options from now on."""
        self._options = options

    async def run(self) -> None:
        """Sweep every few seconds, until cancelled. The alerts must have been loaded before."""
        while True:
            await self._clock.sleep(_INTERVAL)
            try:
                await self.sweep(self._clock.now())
                self._outage.works("open incidents are looked through again")
            except ControlPlaneError as error:
                reason = str(error)
                self._outage.fails("open incidents could not be looked through", reason=reason)

    async def sweep(self, now: Timestamp) -> int:
        """Resolve the orphans that have ended; return how many. Raises Unavailable."""
        incidents = await self._store.open_incidents()
        await self._fresh()
        self._metrics.open_incidents.set(len(incidents))
        owned = frozenset(chain.from_iterable(owner() for owner in self._owned))
        retired = set(self._channels.retired())
        orphans = [i for i in incidents if self._is_over(i, owned, retired, now)]
        ended = [incident for incident in orphans if await self._resolve(incident, now)]
        await self._dismiss(retired - {(i.receiver, i.integration) for i in incidents})
        if ended:
            self._wake()
        return len(ended)

    def _is_over(
        self,
        incident: Incident,
        owned: frozenset[tuple[str, str]],
        retired: set[tuple[str, str]],
        now: Timestamp,
    ) -> bool:
        channel = (incident.receiver, incident.integration)
        resolving = incident.queued is not None and not incident.queued.firing
        if resolving or incident.retry_at > now or self._channels.find(channel) is None:
            return False
        if not self._share.owns(incident.work):
            return False
        if channel in retired:
            return True
        if (incident.receiver, incident.group_key) in owned:
            return False
        told = incident.told
        return told is None or not any(self._fires(name, now) for name in told.firing)

    def _fires(self, fingerprint: str, now: Timestamp) -> bool:
        """Tell whether an alert fires, or has run out and that is not written down yet.

        Told before, it would fire again after a restart.
        """
        alert = self._find_alert(fingerprint)
        if alert is None:
            return False
        return alert.status(now) is AlertStatus.FIRING or alert.updated_at < alert.ends_at

    async def _resolve(self, orphan: Incident, now: Timestamp) -> bool:
        """Tell the end, unless somebody else does, or it is none by what is written down."""
        channel = (orphan.receiver, orphan.integration)
        integration = self._channels.find(channel)
        try:
            async with self._store.begin(self._share.fence((orphan.work,))) as tx:
                incident = await tx.incident(orphan.id)
                if incident is None or incident.closed_at is not None:
                    return False
                told = incident.told
                removed = channel in self._channels.retired()
                if told is not None and not removed and await tx.unended(told.firing):
                    return False
                await resolve(
                    tx,
                    incident,
                    await _last_words(tx, incident, now),
                    send_resolved=integration is not None and integration.send_resolved,
                    max_age=self._options.max_age,
                    now=now,
                )
        except Fenced:
            self._metrics.fenced.labels("sweep").inc()
            return False
        return True

    async def _dismiss(self, channels: set[tuple[str, str]]) -> None:
        for channel in channels:
            await self._channels.dismiss(channel)


async def _last_words(tx: NotificationTransaction, incident: Incident, now: Timestamp) -> Content:
    """Return the resolve's content: the alerts last told of, as ended."""
    empty = Content(
        group_key=incident.group_key,
        group_labels=incident.group_labels,
        reason=Reason.ALL_RESOLVED,
        alerts=(),
        at=now,
    )
    return await ended(tx, incident, empty)
