"""The active alerts: merged, durable before they are accepted, handed to subscribers."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from controlplane.alerts.merge import check, merged
from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.options import AlertOptions
from controlplane.alerts.ports import AlertRepository, Gathering, Subscriber
from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError, Overloaded, Unavailable
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Changes that subscribers are told at once: a few milliseconds' work.
_PART: Final = 250


@dataclass(slots=True)
class _Entry:
    """One call of `put` that waits for its turn to be written."""

    alerts: Sequence[Alert]
    written: bool = False
    error: ControlPlaneError | None = None


class Alerts:
    """All alerts that fire, and those that ended a short while ago."""

    def __init__(
        self,
        repository: AlertRepository,
        clock: Clock,
        metrics: AlertMetrics,
        options: AlertOptions | None = None,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._options = options or AlertOptions()
        self._alerts: dict[Labels, Alert] = {}
        self._labels: dict[str, Labels] = {}
        self._subscribers: list[Subscriber] = []
        self._gatherings: list[Gathering] = []
        self._waiting: list[_Entry] = []
        self._writing = asyncio.Lock()
        metrics.observe("active", lambda: self._count(AlertStatus.FIRING))
        metrics.observe("resolved", lambda: self._count(AlertStatus.RESOLVED))

    @property
    def resolve_timeout(self) -> Duration:
        """How long an alert without an end lasts."""
        return self._options.resolve_timeout

    def subscribe(self, subscriber: Subscriber, gathering: Gathering | None = None) -> None:
        """Have `subscriber` called with every change from now on.

        Many changes come in parts, between which others have their turn;
        `gathering` is entered around all parts of what belongs together.
        """
        self._subscribers.append(subscriber)
        if gathering is not None:
            self._gatherings.append(gathering)

    def reload(self, options: AlertOptions) -> None:
        """Use other bounds from now on."""
        self._options = options

    async def load(self) -> None:
        """Take up what was kept; `announce` then hands it to the subscribers.

        An alert that nobody has ended gets `resolve_timeout` to be spoken of
        again: that we were away does not resolve it. Raises Unavailable.
        """
        now = self._clock.now()
        grace = now + self._options.resolve_timeout
        for alert in await self._repository.load():
            ended = alert.ends_at <= alert.updated_at
            kept = alert if ended else replace(alert, ends_at=max(alert.ends_at, grace))
            self._keep(kept)

    def announce(self) -> None:
        """Hand all alerts to the subscribers."""
        now, alerts = self._clock.now(), list(self._alerts.values())
        for subscriber in self._subscribers:
            subscriber(alerts, now)

    async def __call__(self, alerts: Sequence[Alert]) -> None:
        """Accept alerts, as `put` does: the sink that rules know."""
        await self.put(alerts)

    async def put(self, alerts: Sequence[Alert]) -> None:
        """Merge, store and publish alerts; they are durable when it returns.

        Calls that wait at the same time are written together. Raises
        InvalidInput, Unavailable, and Overloaded when too many alerts are
        active: what is known already of them, such as an end, is taken still.
        """
        for alert in alerts:
            check(alert)
        entry = _Entry(alerts)
        self._waiting.append(entry)
        async with self._writing:
            if not entry.written:
                batch, self._waiting = self._waiting, []
                await self._write(batch)
        if entry.error is not None:
            raise entry.error

    def get(self, fingerprint: str) -> Alert | None:
        """Return the alert that Alertmanager's API would name so, or None."""
        labels = self._labels.get(fingerprint)
        return None if labels is None else self._alerts.get(labels)

    def list(self, status: AlertStatus | None = None) -> list[Alert]:
        """Return the alerts kept, all or those of one status, by their labels."""
        now = self._clock.now()
        chosen = (a for a in self._alerts.values() if status in (None, a.status(now)))
        return sorted(chosen, key=lambda alert: alert.labels)

    async def gc(self, now: Timestamp) -> int:
        """Write down, and tell, which alerts ran out; forget those that ended long ago.

        Return how many were forgotten. Raises Unavailable.
        """
        async with self._writing:
            ran_out = [
                replace(alert, updated_at=alert.ends_at)
                for alert in self._alerts.values()
                if alert.updated_at < alert.ends_at <= now
            ]
            if ran_out:
                await self._repository.save(ran_out)
                for alert in ran_out:
                    self._keep(alert)
                await self._publish(ran_out, now)
            old = now - self._options.resolved_kept
            gone = [alert for alert in self._alerts.values() if alert.ends_at <= old]
            if gone:
                await self._repository.delete([alert.fingerprint for alert in gone])
            for alert in gone:
                del self._alerts[alert.labels]
                del self._labels[alert.fingerprint]
        return len(gone)

    async def run(self) -> None:
        """Collect what ended, again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._options.gc_interval / 1000)
            try:
                await self.gc(self._clock.now())
            except ControlPlaneError as error:
                log.warning("ended alerts could not be collected", error=str(error))

    async def _write(self, batch: Sequence[_Entry]) -> None:
        now = self._clock.now()
        changed: dict[Labels, Alert] = {}
        for entry in batch:
            self._merge(entry, changed, now)
        # What counts when the write is cancelled: nobody may take it for done.
        error: ControlPlaneError | None = Unavailable("the write was interrupted")
        try:
            if changed:
                await self._repository.save(list(changed.values()))
            error = None
        except ControlPlaneError as failure:
            error = failure
        finally:
            for entry in batch:
                entry.written, entry.error = True, entry.error or error
        if error is None:
            for alert in changed.values():
                self._keep(alert)
                self._metrics.received.labels(alert.status(now).value).inc()
            await self._publish(list(changed.values()), now)

    def _merge(self, entry: _Entry, changed: dict[Labels, Alert], now: Timestamp) -> None:
        """Merge one call's alerts into `changed`; of too many, those that are known already."""
        # Nothing here may look through all alerts: there are many, and calls come often.
        names = {alert.labels for alert in entry.alerts}
        new = {labels for labels in names if labels not in changed and labels not in self._alerts}
        total = len(self._alerts) + sum(labels not in self._alerts for labels in changed) + len(new)
        refused: Collection[Labels] = ()
        if new and total > self._options.limit:
            refused = new
            self._metrics.refused.inc(len(new))
            entry.error = Overloaded(f"more than {self._options.limit} alerts are active")
        for alert in entry.alerts:
            if alert.labels not in refused:
                before = changed.get(alert.labels) or self._alerts.get(alert.labels)
                changed[alert.labels] = merged(before, alert, now)

    def _keep(self, alert: Alert) -> None:
        self._alerts[alert.labels] = alert
        self._labels[alert.fingerprint] = alert.labels

    async def _publish(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Hand changes on, in parts: ten thousand at once would hold up everybody else."""
        parts = [alerts[start : start + _PART] for start in range(0, len(alerts), _PART)]
        steps = ((subscriber, part) for subscriber in self._subscribers for part in parts)
        with ExitStack() as stack:
            for gathering in self._gatherings:
                stack.enter_context(gathering())
            try:
                for subscriber, part in steps:
                    subscriber(part, now)
                    if len(parts) > 1:
                        await self._clock.sleep(0)
            finally:
                # Whoever goes away meanwhile takes no news from anybody.
                for subscriber, part in steps:
                    subscriber(part, now)

    def _count(self, status: AlertStatus) -> int:
        now = self._clock.now()
        # Metrics are collected on another thread, while alerts come and go here.
        kept = tuple(self._alerts.values())
        return sum(alert.status(now) is status and not alert.is_test for alert in kept)
