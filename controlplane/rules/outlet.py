"""What evaluations lead to, on its way out: alerts to the sink, state to the store.

Evaluation never waits for either. What could not be handed over is kept, the
newest of each alert, and tried again; so the memory is bounded by the alerts.

What a pass found is shown when its state is saved, so that nobody sees what a
killed process would not know again. A database that takes too long is waited
for once; until it answers, passes are shown unsaved, which is counted.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.rules.group import Pass
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.ports import AlertSink, Record, RuleStateStore, StateChange
from controlplane.rules.state import RuleAlert
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

_RETRY_SECONDS: Final = 1.0
# Nobody waits longer than this to see what an evaluation found.
_PATIENCE_SECONDS: Final = 1.0


class Outlet:
    """Belongs to the event loop."""

    def __init__(
        self,
        sink: AlertSink,
        states: RuleStateStore,
        *,
        clock: Clock,
        metrics: RuleMetrics,
        record: Record = lambda _doubts: None,
    ) -> None:
        self._sink = sink
        self._states = states
        self._clock = clock
        self._metrics = metrics
        self._record = record
        self._alerts: dict[Labels, Alert] = {}
        self._changed: dict[tuple[str, Labels], RuleAlert | None] = {}
        self._work = asyncio.Event()
        # What is not seen yet: passes whose changes are being saved, and later ones.
        self._being_saved: list[Pass] = []
        self._held: list[Pass] = []
        self._saving = False
        self._away = False
        self._impatience: asyncio.Task[None] | None = None

    def offer(self, done: Pass) -> None:
        """Take what an evaluation led to."""
        if done.doubts:
            self._record(done.doubts)
        self._alerts.update((alert.labels, alert) for alert in done.alerts)
        self._note(done.changes)
        self._take(done)
        if self._alerts or self._changed:
            self._work.set()

    async def run(self) -> None:
        """Hand over what comes, at once and in one call for all that is there."""
        while True:
            await self._work.wait()
            self._work.clear()
            if not await self.flush():
                self._work.set()
                await self._clock.sleep(_RETRY_SECONDS)

    async def flush(self) -> bool:
        """Hand over everything that waits; tell whether all of it was taken."""
        sent = await self._send()
        return await self._save() and sent

    def close(self) -> None:
        """Show nothing more."""
        self._be_patient()

    async def _send(self) -> bool:
        alerts, self._alerts = self._alerts, {}
        if not alerts:
            return True
        try:
            await self._sink(list(alerts.values()))
        except InvalidInput:
            return await self._send_each(alerts)
        except ControlPlaneError as refused:
            self._alerts = alerts | self._alerts
            self._metrics.send_failures.inc()
            log.warning("alerts of rules not accepted", alerts=len(alerts), reason=str(refused))
            return False
        except asyncio.CancelledError:
            self._alerts = alerts | self._alerts
            raise
        return True

    async def _send_each(self, alerts: Mapping[Labels, Alert]) -> bool:
        """Send alerts one by one, without those that can never be accepted."""
        left: dict[Labels, Alert] = {}
        for labels, alert in alerts.items():
            try:
                await self._sink([alert])
            except InvalidInput as refused:
                self._metrics.alerts_dropped.inc()
                log.error("alert of a rule dropped", alert=alert.name, reason=refused.reason)
            except ControlPlaneError:
                left[labels] = alert
        self._alerts = left | self._alerts
        return not left

    async def _save(self) -> bool:
        changed, self._changed = self._changed, {}
        if not changed:
            return True
        self._being_saved, self._held = self._being_saved + self._held, []
        self._saving = True
        try:
            await self._states.save(_by_rule(changed))
        except ControlPlaneError as refused:
            self._changed = changed | self._changed
            self._metrics.state_failures.inc()
            log.warning("state of rules not saved", alerts=len(changed), reason=str(refused))
            return False
        except asyncio.CancelledError:
            self._changed = changed | self._changed
            raise
        finally:
            self._saving = False
        self._saved()
        return True

    def _saved(self) -> None:
        """Let what is saved be seen, and wait anew for what came meanwhile."""
        self._away = False
        self._be_patient()
        shown, self._being_saved = self._being_saved, []
        later, self._held = self._held, []
        self._show(shown)
        for done in later:
            self._take(done)

    def _take(self, done: Pass) -> None:
        """Show a pass, unless something up to it is yet to be saved."""
        if self._away or not (self._changed or self._saving):
            self._show([done])
            return
        self._held.append(done)
        if self._impatience is None:
            self._impatience = asyncio.create_task(self._lose_patience())

    async def _lose_patience(self) -> None:
        """Show what has waited too long, and until the next save whatever comes."""
        await self._clock.sleep(_PATIENCE_SECONDS)
        self._impatience = None
        self._away = True
        waiting = [*self._being_saved, *self._held]
        self._being_saved, self._held = [], []
        log.warning("alerts shown before their state was saved", passes=len(waiting))
        self._show(waiting)

    def _be_patient(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _show(self, passes: Iterable[Pass]) -> None:
        for done in passes:
            if done.show is not None:
                done.show()
            if done.changes and self._away:
                self._metrics.shown_unsaved.inc()

    def _note(self, changes: Iterable[StateChange]) -> None:
        for change in changes:
            for labels in change.forgotten:
                self._changed[change.rule_id, labels] = None
            for alert in change.stored:
                self._changed[change.rule_id, alert.labels] = alert


def _by_rule(changed: dict[tuple[str, Labels], RuleAlert | None]) -> list[StateChange]:
    stored: dict[str, list[RuleAlert]] = {}
    forgotten: dict[str, list[Labels]] = {}
    for (rule_id, labels), alert in changed.items():
        if alert is None:
            forgotten.setdefault(rule_id, []).append(labels)
        else:
            stored.setdefault(rule_id, []).append(alert)
    return [
        StateChange(rule_id, stored.get(rule_id, ()), forgotten.get(rule_id, ()))
        for rule_id in stored.keys() | forgotten.keys()
    ]
