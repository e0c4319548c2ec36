"""All rule groups: each in its slots, some as soon as samples arrive, one thread for all.

Of several replicas each evaluates the groups of its share. What it knows of the
others is what is shown of them: their alerts from the database, how they fare
from what their replicas tell.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import MINUTE
from controlplane.model.fence import Fence
from controlplane.model.share import WHOLE, Share
from controlplane.rules.evaluator import Evaluator
from controlplane.rules.group import Group
from controlplane.rules.holdings import Holdings
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import RulesOptions
from controlplane.rules.orphans import Orphans
from controlplane.rules.outlet import Outlet
from controlplane.rules.ports import (
    AlertSink,
    Queries,
    Record,
    RemoteQueries,
    Reports,
    RuleStateStore,
    SampleStore,
)
from controlplane.rules.pushdown import Answers, Pushdown
from controlplane.rules.reporting import LocalReports, Reporting
from controlplane.rules.slots import Slots
from controlplane.rules.state import RuleAlert
from controlplane.rules.status import GroupStatus
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Write

log = get_logger(__name__)

_RETRY_SECONDS: Final = 1.0
# How often replicas tell one another how their groups fare.
_REPORT_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 60.0


class Manager:
    """Evaluates the rules of the options last applied, as far as they are this replica's.

    `apply` them before `run`, which restores the state of before a restart
    first. Subscribe `on_commit` to the sample store. Belongs to the event loop.
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
        share: Share = WHOLE,
        reports: Reports | None = None,
    ) -> None:
        """`remote` asks the engines that evaluate rules in place of ours, `lookback` is ours'.

        `share` says which groups are this replica's, by their keys; the replicas
        tell one another by `reports` how theirs fare.
        """
        self._clock = clock
        self._pushdown = None if remote is None else Pushdown(remote, clock)
        self._states = states
        self._metrics = metrics
        self._outlet = Outlet(
            sink, states, clock=clock, metrics=metrics, record=record, fenced=self._fenced
        )
        self._holdings = Holdings(share)
        self._evaluator = Evaluator(
            clock=clock,
            query=query,
            store=store,
            metrics=metrics,
            lookback=lookback,
            holdings=self._holdings,
            offer=self._outlet.offer,
        )
        self._slots = Slots(self._pass, clock=clock, metrics=metrics)
        self._orphans = Orphans(states, share, clock, self._outlet.offer)
        self._reporting = Reporting(reports or LocalReports())
        self._alone = reports is None
        self._running = False
        self._applying = asyncio.Lock()
        # Groups that were let go of, and whose memory is yet to be dropped.
        self._lost: set[str] = set()
        self._moved = asyncio.Event()
        share.subscribe(self._on_share)

    def groups(self) -> Sequence[GroupStatus]:
        """Return every group, by file and name, and how its rules fare."""
        groups = sorted(self._groups.values(), key=lambda g: (g.group.file, g.group.name))
        return [
            group.status()
            if group.key in self._holdings
            else self._reporting.completed(group.status())
            for group in groups
        ]

    async def apply(self, options: RulesOptions) -> None:
        """Change to other rules; what is the same before and after keeps its state.

        Alerts of rules that are gone are resolved. The options have been
        checked: nothing here fails because of them.
        """
        async with self._applying:
            keys = {group.key for group in options.groups}
            ours = {key for key in keys if key in self._holdings} | self._holdings.free(keys).keys()
            switch = partial(self._evaluator.switch, options, ours)
            ended, gone = await self._evaluator.run(switch)
            for done in ended:
                self._outlet.offer(done)
            for group in gone:
                self._slots.stop(group.key)
                self._metrics.forget(group.key)
                if self._running and group.key in self._holdings:
                    self._evaluator.later(self._evaluator.bury(group))
            self._stop_lost()
            if self._running:
                await self._try_to_settle()

    async def run(self) -> None:
        """Evaluate until cancelled. Raises Unavailable when state cannot be restored."""
        async with self._applying:
            self._evaluator.listen()
            await self._settle()
            self._running = True
            self._start_groups()
            await self._end_orphans(starting=True)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._outlet.run())
                tasks.create_task(self._follow_share())
                tasks.create_task(self._sweep())
                if not self._alone:
                    tasks.create_task(self._tell_others())
        finally:
            self._running = False
            self._slots.stop_all()

    async def quiet(self) -> None:
        """Return once nothing of a lost group is under way, and all it led to is handed over.

        From then on another replica may take it over: nothing is evaluated
        twice, and its state is where the next pass begins.
        """
        async with self._applying:
            await self._let_go()
        while not await self._outlet.flush():
            await self._clock.sleep(_RETRY_SECONDS)

    async def drain(self) -> None:
        """Hand over what evaluations have led to; call it when `run` has ended."""
        await self._evaluator.run(lambda: None)
        await self._outlet.flush()

    async def close(self) -> None:
        """End the thread."""
        self._outlet.close()
        await self._evaluator.close()

    async def refresh(self, rule_ids: Collection[str] | None = None) -> None:
        """Show what the database holds of these rules, or of all, where others evaluate them.

        Raises Unavailable.
        """
        wanted = None if rule_ids is None else set(rule_ids)
        shown = [
            (group, rule)
            for group in self._groups.values()
            if group.key not in self._holdings
            for rule in group.alerting
            if wanted is None or rule.rule_id in wanted
        ]
        kept = await self._states.load([rule.rule_id for _, rule in shown]) if shown else {}
        for group, rule in shown:
            if group.key not in self._holdings:
                rule.shown.alerts = tuple(kept.get(rule.rule_id, ()))

    def on_commit(self, writes: Sequence[Write]) -> None:
        """Take note of what has become visible in the store, on the store's thread."""
        if self._running:
            self._evaluator.on_commit(writes)

    @property
    def _groups(self) -> Mapping[str, Group]:
        return self._evaluator.groups

    async def _pass(self, group: Group, ts: Timestamp) -> None:
        """Evaluate a group in a slot, if it is still ours."""
        fence = self._holdings.still(group.key)
        if fence is None:
            return
        correlation_id = new_correlation_id()
        answers = await self._ask(group, ts, correlation_id)
        await self._evaluator.evaluate(group, fence, ts, correlation_id, answers)

    async def _ask(self, group: Group, ts: Timestamp, correlation_id: str) -> Answers | None:
        """Return what other engines answer for a pass, None where none is asked."""
        questions = group.questions(ts)
        if self._pushdown is None or not questions:
            return None
        with correlated(correlation_id):
            return await self._pushdown.ask(ts, questions, group.interval)

    # How groups come and go

    def _on_share(self) -> None:
        """Begin no pass of a group that is not ours any more, from this very moment on."""
        self._stop_lost()
        self._moved.set()

    def _fenced(self, key: str, fence: Fence) -> None:
        """Let go of a group that the database knows to be another replica's."""
        if self._holdings.spoil(key, fence):
            self._slots.stop(key)
            self._lost.add(key)
        self._moved.set()

    def _stop_lost(self) -> None:
        for key in self._holdings.let_go(self._groups):
            self._slots.stop(key)
            self._lost.add(key)

    async def _follow_share(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            async with self._applying:
                settled = await self._try_to_settle()
            if not settled:
                await self._clock.sleep(_RETRY_SECONDS)

    async def _try_to_settle(self) -> bool:
        """Settle, or have it done later; tell which."""
        try:
            await self._settle()
        except ControlPlaneError as refused:
            log.warning("rule groups not taken over", reason=str(refused))
            self._moved.set()
            return False
        await self._end_orphans()
        return True

    async def _settle(self) -> None:
        """Drop what was lost and take over what has come, until there is neither."""
        await self._let_go()
        while free := self._holdings.free(self._groups):
            await self._take_over(free)
            await self._let_go()
        self._start_groups()
        await self.refresh(None)

    async def _let_go(self) -> None:
        """Drop the memory of lost groups, once no pass of theirs runs, and tell how they fared."""
        self._stop_lost()
        self._lost &= self._groups.keys()
        lost = set(self._lost)
        strays = {key for key, group in self._groups.items() if self._is_stray(group)}
        if not lost and not strays:
            return
        fared = await self._evaluator.run(partial(self._evaluator.drop, lost | strays))
        self._lost -= lost  # now, and not before: whoever waits for this may give up
        log.info("rule groups let go", groups=len(lost))
        await self._reporting.exchange(status for status in fared if status.key in lost)

    def _is_stray(self, group: Group) -> bool:
        """Tell whether a group that others evaluate has taken up alerts of a rule that moved."""
        remembers = any(rule.alerts for rule in group.alerting)
        return (
            remembers and group.key not in self._holdings and not self._holdings.free([group.key])
        )

    async def _take_over(self, fences: Mapping[str, Fence]) -> None:
        """Restore groups under fences that were taken before, so that nobody changes them now.

        What a reload brings to a replica that is alone has no state anywhere.
        """
        kept: Mapping[str, Sequence[RuleAlert]] = {}
        shared = any(fences.values())
        if shared or not self._running:
            rules = [rule.rule_id for key in fences for rule in self._groups[key].alerting]
            kept = await self._states.load(rules)
        if shared:
            await self._reporting.exchange(())
            log.info("rule groups taken over", groups=len(fences))
        evaluated = {key: self._reporting.last_evaluation(key) for key in fences}
        restore = partial(self._evaluator.restore, fences, kept, evaluated)
        for done in await self._evaluator.run(restore):
            self._outlet.offer(done)
        self._holdings.take(fences)
        await self._evaluator.run(self._evaluator.watch_held)

    def _start_groups(self) -> None:
        for key, group in self._groups.items():
            if self._running and key in self._holdings:
                self._slots.start(group)

    async def _tell_others(self) -> None:
        """Tell other replicas how our groups fare, and learn of theirs."""
        while True:
            await self._clock.sleep(_REPORT_SECONDS)
            held = [group for key, group in self._groups.items() if key in self._holdings]
            await self._reporting.exchange(group.status() for group in held)

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(_SWEEP_SECONDS)
            async with self._applying:  # what a reload brings meanwhile is no orphan
                await self._end_orphans()

    async def _end_orphans(self, *, starting: bool = False) -> None:
        known = {rule.rule_id for group in self._groups.values() for rule in group.alerting}
        options = self._evaluator.options
        await self._orphans.end(frozenset(known), options, starting=starting)
