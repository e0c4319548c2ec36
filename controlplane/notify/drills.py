"""Runs fire drills: raises their alerts, looks what becomes of them, and says so when it is bad.

`FireDrillFailed` goes the way of every alert; routing sees to it that it never
goes to the receiver alone that it is about. It ends with the next run of the
drill that went well.

Where several replicas share the work, each follows every run, by its alert and
by what the outbox says; the one that the drill belongs to acts on it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.errors import Conflict, ControlPlaneError, NotFound
from controlplane.model.alert import FIRE_DRILL, FIRE_DRILL_FAILED, Alert, AlertStatus
from controlplane.model.duration import DAY
from controlplane.model.labels import Labels
from controlplane.model.share import WHOLE, Share
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.dead_letters import AcceptAlerts
from controlplane.notify.drill import DrillOptions, Run, Stage, judge
from controlplane.notify.ports import NotificationStore
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.telemetry.correlation import correlated, correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# How often, in seconds, runs under way are looked at; without any a change is waited for.
_LOOK: Final = 1.0
_IDLE: Final = 60.0
_MESSAGES: Final = 100
# Until the next good run, that is.
_LASTS: Final = 366 * DAY


@dataclass(frozen=True, slots=True)
class DrillStatus:
    """A drill of the file, and its last run since the start of the process."""

    drill: DrillOptions
    last: Run | None


class Drills:
    """The drills of the file. `begin` raises an alert, `run` follows it until it is judged.

    `accept` takes alerts, `firing` gives those that fire; `receivers_of` says
    whom an alert with some labels goes to. `heard` is to be told of alerts.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        clock: Clock,
        *,
        accept: AcceptAlerts,
        firing: Callable[[], Iterable[Alert]],
        receivers_of: Callable[[Labels], Sequence[str]],
        metrics: TryingMetrics,
        share: Share = WHOLE,
    ) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._accept = accept
        self._firing = firing
        self._receivers_of = receivers_of
        self._metrics = metrics
        self._share = share
        self._drills: dict[str, DrillOptions] = {}
        self._runs: dict[str, Run] = {}
        self._changed = False
        self._woken = asyncio.Event()

    def configure(self, drills: Iterable[DrillOptions]) -> None:
        """Have these drills from now on; what those that are gone have left behind is ended.

        Routes and receivers may have changed with them: a run that is under way
        is judged by those that there are now.
        """
        self._drills = {drill.name: drill for drill in drills}
        self._runs = {name: self._rerouted(run) for name, run in self._runs.items()}
        self.heard(tuple(self._firing()), self._clock.now())
        self._changed = True
        self._woken.set()

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Follow runs that were begun elsewhere, or before this process was there."""
        for alert in alerts:
            if alert.name == FIRE_DRILL and alert.status(now) is AlertStatus.FIRING:
                name = alert.labels.value("drill")
                drill, last = self._drills.get(name), self._runs.get(name)
                if drill is not None and (last is None or last.started_at < alert.starts_at):
                    self._runs[name] = self._planned(drill, alert)
                    self._woken.set()

    def statuses(self) -> Sequence[DrillStatus]:
        """Return the drills in the order of the file."""
        return [self._status(drill) for drill in self._drills.values()]

    async def begin(self, name: str) -> DrillStatus:
        """Raise the alert of a drill. Raises NotFound, Conflict while it runs, Unavailable."""
        drill = self._drills.get(name)
        if drill is None:
            raise NotFound(f"there is no drill {name!r}")
        last = self._runs.get(name)
        if last is not None and not last.stage.over:
            raise Conflict(f"the drill {name!r} is under way")
        alert = drill.alert(self._clock.now(), correlation_id())
        self._runs[name] = run = self._planned(drill, alert)
        try:
            await self._accept([alert])
        except BaseException:
            self._runs.pop(name, None)
            if last is not None:
                self._runs[name] = last
            raise
        log.info("fire drill", drill=name, alert=alert.fingerprint, channels=len(run.channels))
        self._woken.set()
        return self._status(drill)

    async def run(self) -> None:
        """Follow the runs under way, until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.look(self._clock.now())
            except ControlPlaneError as error:
                log.warning("drills could not be followed", error=str(error))
            busy = self._changed or any(not run.stage.over for run in self._runs.values())
            await sleep_unless(self._clock, self._woken, _LOOK if busy else _IDLE)

    async def look(self, now: Timestamp) -> None:
        """Judge the runs under way. Raises Unavailable; then they are judged the next time."""
        if self._changed:
            await self._tidy(now)
        for name, run in tuple(self._runs.items()):
            if run.stage.over:
                continue
            messages = await self._store.about(run.alert.fingerprint, _MESSAGES)
            if self._runs.get(name) is not run:
                continue  # it was changed meanwhile: the next look judges it
            after = judge(run, messages, now)
            if after.stage is not run.stage:
                ours = self._is_ours(name)
                with correlated(run.alert.correlation_id):
                    if ours:
                        await self._act(run, after, now)
                self._runs[name] = after
                if ours:
                    self._note(after)

    def _is_ours(self, drill: str) -> bool:
        return self._share.owns(f"drill/{drill}")

    def _planned(self, drill: DrillOptions, alert: Alert) -> Run:
        told = [
            each
            for receiver in self._receivers_of(alert.labels)
            for each in self._channels.of(receiver)
        ]
        closing = frozenset(channel for channel, each in told if each.send_resolved)
        return Run(drill, alert, tuple(channel for channel, _ in told), closing)

    def _rerouted(self, run: Run) -> Run:
        if run.stage.over:
            return run
        now = self._planned(run.drill, run.alert)
        if run.stage is Stage.RAISED:
            return replace(run, channels=now.channels, closing=now.closing)
        return replace(run, closing=run.closing & frozenset(now.channels))

    async def _act(self, before: Run, after: Run, now: Timestamp) -> None:
        """Do what a change of stage asks for."""
        alerts: list[Alert] = []
        if before.stage is Stage.RAISED:
            alerts.append(_ended(before.alert, now))
        if after.stage is Stage.FAILED:
            alerts += self._complaints(after, now)
        elif after.stage is Stage.RESOLVED:
            alerts += [_ended(alert, now) for alert in self._raised_about(after.drill.name)]
        if alerts:
            await self._accept(alerts)

    def _complaints(self, run: Run, now: Timestamp) -> list[Alert]:
        """Return an alert about each receiver that a run did not come back from."""
        silent = dict.fromkeys(channel[0] for channel in run.missing)
        receivers = tuple(silent) or tuple(self._receivers_of(run.alert.labels))[:1]
        return [_complaint(run, receiver, now) for receiver in receivers]

    def _raised_about(self, drill: str) -> list[Alert]:
        return [
            alert
            for alert in self._firing()
            if alert.name == FIRE_DRILL_FAILED and alert.labels.value("drill") == drill
        ]

    async def _tidy(self, now: Timestamp) -> None:
        """End what drills that are not in the file any more have raised."""
        gone = [name for name in self._runs if name not in self._drills]
        over = [
            _ended(run.alert, now)
            for run in (self._runs[name] for name in gone)
            if run.stage is Stage.RAISED and self._is_ours(run.drill.name)
        ]
        over += [
            _ended(alert, now)
            for alert in self._firing()
            if alert.name == FIRE_DRILL_FAILED
            and (name := alert.labels.value("drill")) not in self._drills
            and self._is_ours(name)
        ]
        self._changed = False
        try:
            if over:
                await self._accept(over)
        except ControlPlaneError:
            self._changed = True
            raise
        for name in gone:
            self._runs.pop(name, None)

    def _note(self, run: Run) -> None:
        name, at = run.drill.name, run.delivered_at
        if run.stage is Stage.DELIVERED and at is not None:
            self._metrics.drill_latency.labels(name).observe((at - run.started_at) / 1000)
            return
        self._metrics.drills.labels(name, run.stage.value).inc()
        if run.stage is Stage.RESOLVED:
            self._metrics.drill_success.labels(name).set((run.ended_at or 0) / 1000)
            log.info("fire drill passed", drill=name)
        else:
            log.error(
                "fire drill failed",
                drill=name,
                alert=run.alert.fingerprint,
                channels=["/".join(channel) for channel in run.missing],
                reason=run.failure,
            )

    def _status(self, drill: DrillOptions) -> DrillStatus:
        return DrillStatus(drill, self._runs.get(drill.name))


def _ended(alert: Alert, now: Timestamp) -> Alert:
    return replace(alert, ends_at=now, updated_at=now)


def _complaint(run: Run, receiver: str, now: Timestamp) -> Alert:
    name, story = run.drill.name, run.alert.fingerprint
    mine: Sequence[Channel] = [channel for channel in run.missing if channel[0] == receiver]
    integrations = f" ({', '.join(channel[1] for channel in mine)})" if mine else ""
    return Alert(
        labels=Labels(
            {
                "alertname": FIRE_DRILL_FAILED,
                "drill": name,
                "receiver": receiver,
                "severity": "critical",
            }
        ),
        annotations=Labels(
            {
                "summary": f"The fire drill {name} did not come back from {receiver}{integrations}",
                "description": f"{run.failure}. Why: controlplane explain {story}",
            }
        ),
        starts_at=now,
        ends_at=now + _LASTS,
        updated_at=now,
        correlation_id=run.alert.correlation_id,
    )
