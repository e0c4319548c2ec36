"""All rule groups: each in its slots, some as soon as samples arrive, one thread for all.

The event loop keeps the time and hands out results; everything that touches
the state of rules runs on the rule-evaluation thread, one thing at a time.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.alert import Alert
from controlplane.model.duration import MINUTE
from controlplane.rules.alerting import AlertingRule, Surroundings
from controlplane.rules.group import Group, Pass
from controlplane.rules.inputs import Inputs
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import Rule, RuleGroup, RulesOptions
from controlplane.rules.outlet import Outlet
from controlplane.rules.ports import (
    AlertSink,
    Queries,
    Record,
    RemoteQueries,
    RuleStateStore,
    SampleStore,
)
from controlplane.rules.pushdown import Answers, Pushdown
from controlplane.rules.reactive import Pace, Watch
from controlplane.rules.schedule import slot, slot_offset
from controlplane.rules.state import RuleAlert
from controlplane.rules.status import GroupStatus
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Write

log = get_logger(__name__)

_T = TypeVar("_T")
_CORRELATION_OF_RELOAD: Final = "reload"


class Manager:
    """Evaluates the rules of the options last applied.

    `apply` them before `run`, which restores the state of before a restart
    first. Subscribe `on_commit` to the sample store.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        query: Queries,
        store: SampleStore,
        sink: AlertSink,
        states: RuleStateStore,
        metrics: RuleMetrics,
        remote: RemoteQueries | None = None,
        lookback: Duration = 5 * MINUTE,
        record: Record = lambda _doubts: None,
    ) -> None:
        """`remote` asks the engines that evaluate rules in place of ours, `lookback` is ours'."""
        self._clock = clock
        self._query = query
        self._pushdown = None if remote is None else Pushdown(remote, clock)
        self._store = store
        self._states = states
        self._metrics = metrics
        self._inputs = Inputs(store, lookback)
        self._outlet = Outlet(sink, states, clock=clock, metrics=metrics, record=record)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rules")
        self._watch = Watch(store, query)
        self._pace = Pace()
        self._reacting = False
        self._groups: dict[str, Group] = {}
        self._options = RulesOptions()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False
        self._applying = asyncio.Lock()

    def groups(self) -> Sequence[GroupStatus]:
        """Return every group, by file and name, and how its rules fare."""
        groups = sorted(self._groups.values(), key=lambda g: (g.group.file, g.group.name))
        return [group.status() for group in groups]

    async def apply(self, options: RulesOptions) -> None:
        """Change to other rules; what is the same before and after keeps its state.

        Alerts of rules that are gone are resolved. The options have been
        checked: nothing here fails because of them.
        """
        async with self._applying:
            ended, gone = await self._on_thread(partial(self._switch, options))
            self._outlet.offer(Pass(alerts=ended))
            for group in gone:
                self._stop(group.key)
                self._metrics.forget(group.key)
                if self._running:
                    self._later(self._bury(group))
            if self._running:
                self._start_groups()
                await self._forget_others()

    async def run(self) -> None:
        """Evaluate until cancelled."""
        self._loop = asyncio.get_running_loop()
        await self._restore()
        self._running = True
        self._start_groups()
        try:
            await self._outlet.run()
        finally:
            self._running = False
            for key in list(self._tasks):
                self._stop(key)

    async def drain(self) -> None:
        """Hand over what evaluations have led to; call it when `run` has ended."""
        await self._on_thread(lambda: None)
        await self._outlet.flush()

    async def close(self) -> None:
        """End the thread."""
        self._outlet.close()
        for task in list(self._background):
            task.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    def on_commit(self, writes: Sequence[Write]) -> None:
        """Take note of what has become visible in the store, on the store's thread."""
        loop = self._loop
        if not self._running or loop is None or not self._watch.note(writes) or self._reacting:
            return
        self._reacting = True
        wait = self._pace.wait(self._clock.monotonic())
        if wait > 0:
            loop.call_soon_threadsafe(lambda: self._later(self._react_in(wait)))
        else:
            self._thread.submit(self._guarded, self._react)

    # On the rule-evaluation thread

    def _switch(self, options: RulesOptions) -> tuple[list[Alert], list[Group]]:
        """Put the new groups in force; return the alerts that end, and the groups that go."""
        old = self._groups
        new = {group.key: self._group_for(group, options) for group in options.groups}
        changed = [group for key, group in new.items() if old.get(key) is not group]
        gone = [group for key, group in old.items() if key not in new]
        moved = _movable(old, new)
        for group in changed:
            before = old.get(group.key)
            if before is not None:
                group.take_over(before)
            for rule in group.alerting:
                origin = moved.pop(_identity(rule), None)
                if origin is not None and not rule.alerts:
                    rule.adopt(origin)
        now = self._clock.now()
        ended = [
            alert for rule in moved.values() for alert in rule.ended(now, _CORRELATION_OF_RELOAD)
        ]
        self._groups, self._options = new, options
        self._watch.watch(list(new.values()))
        self._inputs.watch(each for group in new.values() for each in group.recording)
        return ended, gone

    def _group_for(self, group: RuleGroup, options: RulesOptions) -> Group:
        """Return the group under these options: the one that runs, if nothing changed."""
        running = self._groups.get(group.key)
        if running is not None and running.group == group and _alike(self._options, options):
            return running
        return Group(
            group,
            options,
            query=self._query,
            store=self._store,
            metrics=self._metrics,
            clock=self._clock,
            hold=True,
            inputs=self._inputs,
        )

    def _evaluate(
        self, group: Group, ts: Timestamp, correlation_id: str, answers: Answers | None
    ) -> None:
        if self._groups.get(group.key) is group:
            self._deliver(group.evaluate(ts, correlation_id, answers))

    def _react(self) -> None:
        self._reacting = False
        started = self._clock.monotonic()
        correlation_id = new_correlation_id()
        for each in self._watch.take():
            self._metrics.reactive_passes.inc(len(each.members))
            now = self._clock.now()
            self._deliver(
                each.group.evaluate_reactive(each.members, now, correlation_id, each.cause)
            )
        ended = self._clock.monotonic()
        self._pace.spent(ended - started, ended)
        self._metrics.reactive_seconds.inc(ended - started)

    def _deliver(self, done: Pass) -> None:
        """Hand results to the event loop; a cancelled wait does not lose them."""
        loop = self._loop
        something = done.alerts or done.changes or done.show or done.doubts
        if something and loop is not None:
            loop.call_soon_threadsafe(self._outlet.offer, done)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # the top of a callback: a bug must not end all rules
            log.exception("rule evaluation broke")
            self._metrics.failures.labels("").inc()

    # On the event loop

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start_groups(self) -> None:
        for key, group in self._groups.items():
            task = self._tasks.get(key)
            if task is not None and task.get_name() == str(id(group)):
                continue
            self._stop(key)
            self._tasks[key] = asyncio.create_task(self._keep_time(group), name=str(id(group)))

    def _stop(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def _keep_time(self, group: Group) -> None:
        """Evaluate a group in each of its slots; count those that passed meanwhile."""
        interval = group.interval
        offset = slot_offset(group.key, interval)
        last = slot(self._clock.now(), interval, offset)
        while True:
            now = self._clock.now()
            wait = last + interval - now
            if wait > interval:
                last = slot(now, interval, offset)  # the clock was set back
                continue
            if wait > 0:
                await self._clock.sleep(wait / 1000)
                continue
            current = slot(now, interval, offset)
            passed = (current - last) // interval
            self._metrics.iterations.labels(group.key).inc(passed)
            if passed > 1:
                self._metrics.missed.labels(group.key).inc(passed - 1)
            last = current
            correlation_id = new_correlation_id()
            answers = await self._ask(group, current, correlation_id)
            evaluate = partial(self._evaluate, group, current, correlation_id, answers)
            await self._on_thread(partial(self._guarded, evaluate))

    async def _ask(self, group: Group, ts: Timestamp, correlation_id: str) -> Answers | None:
        """Return what other engines answer for a pass, None where none is asked."""
        questions = group.questions(ts)
        if self._pushdown is None or not questions:
            return None
        with correlated(correlation_id):
            return await self._pushdown.ask(ts, questions, group.interval)

    async def _react_in(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._thread.submit(self._guarded, self._react)

    async def _bury(self, group: Group) -> None:
        """End the series of a removed group, once a renamed one had time to write them."""
        await self._clock.sleep(2 * group.interval / 1000)

        def bury() -> None:
            kept = {labels for alive in self._groups.values() for labels in alive.written()}
            group.bury(self._clock.now(), kept)

        await self._on_thread(partial(self._guarded, bury))

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _restore(self) -> None:
        """Take back the alerts of before a restart, and send them again at once.

        Those of rules that are gone by now are sent as resolved.
        """
        kept = await self._states.load()
        now = self._clock.now()
        done = await self._on_thread(lambda: self._take_back(kept, now))
        self._outlet.offer(done)
        await self._forget_others()

    async def _forget_others(self) -> None:
        """Drop what the store keeps of rules that are gone; the next start would do so too."""
        try:
            await self._states.keep_only(_rule_ids(self._groups.values()))
        except ControlPlaneError as refused:
            log.warning("state of removed rules not dropped", reason=str(refused))

    def _take_back(self, kept: Mapping[str, Sequence[RuleAlert]], now: Timestamp) -> Pass:
        correlation_id = new_correlation_id()
        alerts: list[Alert] = []
        rest = dict(kept)
        for group in self._groups.values():
            for rule in group.alerting:
                if not rule.alerts:
                    rule.restore(rest.get(rule.rule_id, ()), now)
                rest.pop(rule.rule_id, None)
                alerts += rule.due(now, correlation_id)
        for rule_id, orphans in rest.items():
            alerts += _orphaned(rule_id, orphans, self._options, now, correlation_id)
        return Pass(alerts=alerts)


def _orphaned(
    rule_id: str,
    alerts: Sequence[RuleAlert],
    options: RulesOptions,
    now: Timestamp,
    correlation_id: str,
) -> list[Alert]:
    """Return the alerts of a rule that no file has any more, as resolved."""
    around = Surroundings(options.external_labels, options.external_url, options.resend_delay)
    rule = AlertingRule(Rule(expr="vector(0)"), rule_id, (), options.evaluation_interval, around)
    rule.restore(alerts, now)
    return rule.ended(now, correlation_id)


def _movable(
    old: Mapping[str, Group], new: Mapping[str, Group]
) -> dict[tuple[Rule, object], AlertingRule]:
    """Return the alerting rules that have gone from where they stood, by what they are."""
    kept = {rule.rule_id for group in new.values() for rule in group.alerting}
    return {
        _identity(rule): rule
        for group in old.values()
        for rule in group.alerting
        if rule.rule_id not in kept
    }


def _identity(rule: AlertingRule) -> tuple[Rule, object]:
    return rule.rule, rule.labels


def _alike(one: RulesOptions, other: RulesOptions) -> bool:
    """Tell whether two options differ at most in their groups."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in RulesOptions.__dataclass_fields__
        if name != "groups"
    )


def _rule_ids(groups: Collection[Group]) -> list[str]:
    return [rule.rule_id for group in groups for rule in group.alerting]
