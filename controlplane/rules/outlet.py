"""What evaluations lead to, on its way out: state to the store, alerts to the sink.

Evaluation never waits for either. What could not be handed over is kept, the
newest of each alert, and tried again; so the memory is bounded by the alerts.

What a pass found is shown when its state is saved, so that nobody sees what a
killed process would not know again. A database that takes too long is waited
for once; until it answers, passes are shown unsaved, which is counted.

Passes of many groups are handed over together, each under the fence of its
group. Where that holds no more, another replica has the group: what comes of
the pass is dropped, never to be tried again.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import reduce
from typing import Final, NamedTuple, TypeVar

from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError, Fenced, InvalidInput
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.rules.group import Pass
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.ports import AlertSink, Record, RuleStateStore, StateChange
from controlplane.rules.state import RuleAlert
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

_RETRY_SECONDS: Final = 1.0
# Nobody waits longer than this to see what an evaluation found.
_PATIENCE_SECONDS: Final = 1.0


class Origin(NamedTuple):
    """Whose passes something came of: a group, under a fence."""

    group: str
    fence: Fence


_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_Changed = dict[tuple[str, Labels], tuple[RuleAlert | None, Origin]]
_Alerts = dict[Labels, tuple[Alert, Origin]]


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
        fenced: Callable[[str, Fence], None] = lambda _group, _fence: None,
    ) -> None:
        """`fenced` is told of a group whose passes are refused under a fence."""
        self._sink = sink
        self._states = states
        self._clock = clock
        self._metrics = metrics
        self._record = record
        self._fenced = fenced
        self._alerts: _Alerts = {}
        self._changed: _Changed = {}
        self._refused: dict[str, Fence] = {}
        self._work = asyncio.Event()
        self._flushing = asyncio.Lock()
        # What is not seen yet: passes whose changes are being saved, and later ones.
        self._being_saved: list[Pass] = []
        self._held: list[Pass] = []
        self._saving = False
        self._away = False
        self._unsent = Outage(log, clock.monotonic)
        self._unsaved = Outage(log, clock.monotonic)
        self._impatience: asyncio.Task[None] | None = None

    def offer(self, done: Pass) -> None:
        """Take what an evaluation led to."""
        origin = _origin(done)
        if self._refused.get(origin.group, OPEN) == origin.fence != OPEN:
            return  # it was under way when the pass before was refused
        if done.doubts:
            self._record(done.doubts)
        self._alerts.update((alert.labels, (alert, origin)) for alert in done.alerts)
        self._note(done.changes, origin)
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
        """Hand over everything that waits; tell whether all of it was taken.

        State first. Whoever is killed in between leaves a state whose alerts
        are sent when it is restored: one that fires fires, and one that ended
        is kept, and told, for a while. The other way round, an alert that was
        told to fire might be unknown to whoever restores, and one that was told
        to have ended would be taken up as firing, and page again.
        """
        async with self._flushing:
            saved = await self._save()
            return await self._send() and saved

    def close(self) -> None:
        """Show nothing more."""
        self._be_patient()

    async def _send(self) -> bool:
        alerts, self._alerts = self._alerts, {}
        left = alerts  # what a cancelled call may have left undone is done again
        try:
            left = await self._send_these(alerts)
        finally:
            self._alerts = left | self._alerts
        if left:
            self._metrics.send_failures.inc()
        return not left

    async def _send_these(self, alerts: _Alerts) -> _Alerts:
        """Return those that were not accepted, and are to be sent again."""
        if not alerts:
            return {}
        origins = _origins(alerts)
        try:
            await self._sink([alert for alert, _ in alerts.values()], _together(origins))
        except InvalidInput as refused:
            # One by one, without those that can never be accepted.
            parts = [{labels: each} for labels, each in alerts.items()]
            if len(parts) == 1:
                self._metrics.alerts_dropped.inc()
                name = next(iter(alerts.values()))[0].name
                log.error("alert of a rule dropped", alert=name, reason=refused.reason)
                return {}
        except Fenced:
            parts = _apart(alerts)
            if len(parts) == 1:
                self._drop(*origins)
                return {}
        except ControlPlaneError as refused:
            reason = str(refused)
            self._unsent.fails("alerts of rules not accepted", alerts=len(alerts), reason=reason)
            return alerts
        else:
            self._unsent.works("alerts of rules are accepted again")
            return {}
        left: _Alerts = {}
        for part in parts:
            left |= part if left else await self._send_these(part)
        return left

    async def _save(self) -> bool:
        changed, self._changed = self._changed, {}
        if not changed:
            if self._being_saved or self._held:
                self._saved()  # what they waited for has been dropped
            return True
        self._being_saved, self._held = self._being_saved + self._held, []
        self._saving = True
        left = changed
        try:
            left = await self._save_these(changed)
        finally:
            self._changed = left | self._changed
            self._saving = False
        if left:
            self._metrics.state_failures.inc()
            return False
        self._saved()
        return True

    async def _save_these(self, changed: _Changed) -> _Changed:
        """Return what was not saved, and is to be tried again."""
        origins = _origins(changed)
        try:
            await self._states.save(_by_rule(changed), _together(origins))
        except Fenced:
            parts = _apart(changed)
            if len(parts) == 1:
                self._drop(*origins)
                return {}
        except ControlPlaneError as refused:
            reason = str(refused)
            self._unsaved.fails("state of rules not saved", alerts=len(changed), reason=reason)
            return changed
        else:
            self._unsaved.works("state of rules is saved again")
            return {}
        left: _Changed = {}
        for part in parts:
            left |= part if left else await self._save_these(part)
        return left

    def _drop(self, origin: Origin) -> None:
        """Forget whatever waits of a group's passes: it is another replica's now."""
        log.info("rule group fenced", rule_group=origin.group)
        self._metrics.fenced.inc()
        self._refused[origin.group] = origin.fence
        self._alerts = {name: each for name, each in self._alerts.items() if each[1] != origin}
        self._changed = {name: each for name, each in self._changed.items() if each[1] != origin}
        self._being_saved = [done for done in self._being_saved if _origin(done) != origin]
        self._held = [done for done in self._held if _origin(done) != origin]
        self._work.set()
        self._fenced(*origin)

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

    def _note(self, changes: Iterable[StateChange], origin: Origin) -> None:
        for change in changes:
            for labels in change.forgotten:
                self._changed[change.rule_id, labels] = None, origin
            for alert in change.stored:
                self._changed[change.rule_id, alert.labels] = alert, origin


def _origin(done: Pass) -> Origin:
    return Origin(done.group, done.fence)


def _origins(waiting: Mapping[_K, tuple[_V, Origin]]) -> set[Origin]:
    return {origin for _, origin in waiting.values()}


def _together(origins: Iterable[Origin]) -> Fence:
    return reduce(lambda fence, origin: fence | origin.fence, origins, OPEN)


def _apart(waiting: Mapping[_K, tuple[_V, Origin]]) -> list[dict[_K, tuple[_V, Origin]]]:
    """Return what waits by its origin."""
    parts: dict[Origin, dict[_K, tuple[_V, Origin]]] = {}
    for name, each in waiting.items():
        parts.setdefault(each[1], {})[name] = each
    return list(parts.values())


def _by_rule(changed: _Changed) -> list[StateChange]:
    stored: dict[str, list[RuleAlert]] = {}
    forgotten: dict[str, list[Labels]] = {}
    for (rule_id, labels), (alert, _) in changed.items():
        if alert is None:
            forgotten.setdefault(rule_id, []).append(labels)
        else:
            stored.setdefault(rule_id, []).append(alert)
    return [
        StateChange(rule_id, stored.get(rule_id, ()), forgotten.get(rule_id, ()))
        for rule_id in stored.keys() | forgotten.keys()
    ]
