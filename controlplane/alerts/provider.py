"""The active alerts: merged, durable before they are accepted, handed to subscribers."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Final

from controlplane.alerts.merge import check, ended_at, merged, run_out
from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.options import AlertOptions
from controlplane.alerts.ports import AlertRepository, Gathering, Kept, Subscriber
from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError, Fenced, Overloaded, Unavailable
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.model.origin import Origin
from controlplane.model.share import WHOLE, Share
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Changes that subscribers are told at once: a few milliseconds' work.
_PART: Final = 250
# The work of the one replica that ends and forgets alerts.
GC: Final = "alerts/gc"
# What the calls of a batch say of each alert, in order.
_Told = dict[Labels, list[Alert]]


@dataclass(slots=True)
class _Entry:
    """One call of `put` that waits for its turn to be written."""

    alerts: Sequence[Alert]
    fence: Fence
    written: bool = False
    error: ControlPlaneError | None = None


class Alerts:
    """All alerts that fire, and those that ended a short while ago.

    Replicas that share a database each mirror them: `refresh` takes up what
    another one wrote. `share` says who ends those that ran out.
    """

    def __init__(
        self,
        repository: AlertRepository,
        clock: Clock,
        metrics: AlertMetrics,
        options: AlertOptions | None = None,
        share: Share = WHOLE,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._options = options or AlertOptions()
        self._share = share
        self._alerts: dict[Labels, Alert] = {}
        self._labels: dict[str, Labels] = {}
        self._subscribers: list[tuple[Subscriber, Origin | None]] = []
        self._gatherings: list[Gathering] = []
        self._waiting: list[_Entry] = []
        self._writing = asyncio.Lock()
        metrics.observe("active", lambda: self._count(AlertStatus.FIRING))
        metrics.observe("resolved", lambda: self._count(AlertStatus.RESOLVED))

    @property
    def resolve_timeout(self) -> Duration:
        """How long an alert without an end lasts."""
        return self._options.resolve_timeout

    def subscribe(
        self,
        subscriber: Subscriber,
        gathering: Gathering | None = None,
        *,
        origin: Origin | None = None,
    ) -> None:
        """Have `subscriber` called with every change from now on, or those of one origin.

        Many changes come in parts, between which others have their turn;
        `gathering` is entered around all parts of what belongs together.
        """
        self._subscribers.append((subscriber, origin))
        if gathering is not None:
            self._gatherings.append(gathering)

    def reload(self, options: AlertOptions) -> None:
        """Use other bounds from now on."""
        self._options = options

    async def load(self) -> None:
        """Take up what was kept; `announce` then hands it to the subscribers.

        An alert that nobody has ended gets `resolve_timeout` to be spoken of
        again: that we were away does not resolve it. That is not written: another
        replica, which was not away, may end it. Raises Unavailable.
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
        for subscriber, origin in self._subscribers:
            if origin is not Origin.ELSEWHERE:
                subscriber(alerts, now)

    async def __call__(self, alerts: Sequence[Alert], fence: Fence = OPEN) -> None:
        """Accept alerts, as `put` does: the sink that rules know."""
        await self.put(alerts, fence)

    async def put(self, alerts: Sequence[Alert], fence: Fence = OPEN) -> None:
        """Merge, store and publish alerts; they are durable when it returns.

        Calls that wait at the same time are written together. Raises
        InvalidInput, Unavailable, Fenced when what they were decided on is
        another replica's now, and Overloaded when too many alerts are active:
        what is known already of them, such as an end, is taken still.
        """
        for alert in alerts:
            check(alert)
        entry = _Entry(alerts, fence)
        self._waiting.append(entry)
        async with self._writing:
            if not entry.written:
                batch, self._waiting = self._waiting, []
                await self._write(batch)
        if entry.error is not None:
            raise entry.error

    async def refresh(self, fingerprints: Collection[str] | None = None) -> None:
        """Take up what other replicas wrote, of some alerts or of all. Raises Unavailable.

        One that is gone had ended: who still takes it for firing hears of that.
        """
        async with self._writing:
            rows = await self._kept(fingerprints)
            now, names = self._clock.now(), {alert.fingerprint for alert in rows}
            asked = list(self._labels) if fingerprints is None else fingerprints
            gone = [
                alert
                for name in asked
                if name not in names and (alert := self.get(name)) is not None
            ]
            changed = [alert for alert in rows if self._alerts.get(alert.labels) != alert]
            for alert in changed:
                self._keep(alert)
            for alert in gone:
                self._drop(alert)
            changed += [ended_at(alert, now) for alert in gone if alert.ends_at > now]
            await self._publish(changed, now, Origin.ELSEWHERE)

    def get(self, fingerprint: str) -> Alert | None:
        """Return the alert that Alertmanager's API would name so, or None."""
        labels = self._labels.get(fingerprint)
        return None if labels is None else self._alerts.get(labels)

    def list(self, status: AlertStatus | None = None) -> list[Alert]:
        """Return the alerts kept, all or those of one status, by their labels."""
        now = self._clock.now()
        chosen = (a for a in self._alerts.values() if status in (None, a.status(now)))
        return sorted(chosen, key=lambda alert: alert.labels)

    async def settle(self, now: Timestamp) -> None:
        """Write down, and tell, which alerts ran out. Raises Unavailable."""
        async with self._writing:
            ran_out = {
                alert.fingerprint: alert
                for alert in self._alerts.values()
                if alert.updated_at < alert.ends_at <= now
            }
            if ran_out:
                ended = await self._repository.change(ran_out, partial(run_out, ran_out, now))
                for alert in ended:
                    self._keep(alert)
                await self._publish(ended, now, Origin.HERE)

    async def gc(self, now: Timestamp) -> int:
        """Settle, and forget what ended long ago; return how many. Raises Unavailable."""
        await self.settle(now)
        async with self._writing:
            old = now - self._options.resolved_kept
            gone = [alert for alert in self._alerts.values() if alert.ends_at <= old]
            if gone:
                names = [alert.fingerprint for alert in gone]
                await self._repository.delete(names, ended_by=old)
            for alert in gone:
                self._drop(alert)
        return len(gone)

    async def run(self) -> None:
        """Collect what ended, again and again, until cancelled; one replica does."""
        while True:
            await self._clock.sleep(self._options.gc_interval / 1000)
            try:
                if self._share.owns(GC):
                    await self.gc(self._clock.now())
            except ControlPlaneError as error:
                log.warning("ended alerts could not be collected", error=str(error))

    async def _write(self, batch: Sequence[_Entry]) -> None:
        """Write the calls of a batch together; if some may not write, each for itself."""
        for entry in batch:
            # What counts when the write is cancelled: nobody may take it for done.
            entry.written, entry.error = True, Unavailable("the write was interrupted")
        try:
            await self._store(batch)
        except Fenced as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for entry in batch:
                await self._write([entry])
        except ControlPlaneError as error:
            for entry in batch:
                entry.error = error

    async def _store(self, batch: Sequence[_Entry]) -> None:
        now = self._clock.now()
        told: _Told = {}
        errors = [self._admit(entry, told) for entry in batch]
        changed: Sequence[Alert] = ()
        if told:
            names = [labels.fingerprint() for labels in told]
            fence = OPEN
            for entry in batch:
                fence |= entry.fence
            changed = await self._repository.change(names, partial(self._merge, told, now), fence)
        for entry, error in zip(batch, errors, strict=True):
            entry.error = error
        for alert in changed:
            self._keep(alert)
            self._metrics.received.labels(alert.status(now).value).inc()
        await self._publish(changed, now, Origin.HERE)

    def _admit(self, entry: _Entry, told: _Told) -> Overloaded | None:
        """Add one call's alerts to what is told of each; of too many, those that are known."""
        # Nothing here may look through all alerts: there are many, and calls come often.
        names = {alert.labels for alert in entry.alerts}
        new = {labels for labels in names if labels not in told and labels not in self._alerts}
        total = len(self._alerts) + sum(labels not in self._alerts for labels in told) + len(new)
        error, refused = None, frozenset[Labels]()
        if new and total > self._options.limit:
            refused = frozenset(new)
            self._metrics.refused.inc(len(new))
            error = Overloaded(f"more than {self._options.limit} alerts are active")
        for alert in entry.alerts:
            if alert.labels not in refused:
                told.setdefault(alert.labels, []).append(alert)
        return error

    def _merge(self, told: _Told, now: Timestamp, kept: Kept) -> Sequence[Alert]:
        """Return what is known of each alert after all that is told of it."""
        changed = []
        for labels, alerts in told.items():
            known = self._alerts.get(labels) if kept is None else kept.get(labels.fingerprint())
            changed.append(reduce(lambda old, new: merged(old, new, now), alerts, known))
        return [alert for alert in changed if alert is not None]

    async def _kept(self, fingerprints: Collection[str] | None) -> Sequence[Alert]:
        if fingerprints is None:
            return await self._repository.load()
        return await self._repository.find(fingerprints)

    def _keep(self, alert: Alert) -> None:
        self._alerts[alert.labels] = alert
        self._labels[alert.fingerprint] = alert.labels

    def _drop(self, alert: Alert) -> None:
        del self._alerts[alert.labels]
        del self._labels[alert.fingerprint]

    async def _publish(self, alerts: Sequence[Alert], now: Timestamp, origin: Origin) -> None:
        """Hand changes on, in parts: ten thousand at once would hold up everybody else."""
        parts = [alerts[start : start + _PART] for start in range(0, len(alerts), _PART)]
        told = [each for each, wanted in self._subscribers if wanted in (None, origin)]
        steps = ((subscriber, part) for subscriber in told for part in parts)
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
