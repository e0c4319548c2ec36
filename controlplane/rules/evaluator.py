"""The rule-evaluation thread: the groups in force, and everything that touches their state.

What has "on the thread" in its description runs there, one thing at a time; the
rest hands work to it.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.model.fence import Fence
from controlplane.rules.group import Group, Pass
from controlplane.rules.holdings import Holdings
from controlplane.rules.inputs import Inputs
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.moves import identity, movable
from controlplane.rules.options import RuleGroup, RulesOptions
from controlplane.rules.ports import Queries, SampleStore
from controlplane.rules.pushdown import Answers
from controlplane.rules.reactive import Pace, Watch
from controlplane.rules.state import RuleAlert
from controlplane.rules.status import GroupStatus
from controlplane.telemetry.correlation import new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Write

log = get_logger(__name__)

_T = TypeVar("_T")
_CORRELATION_OF_RELOAD: Final = "reload"


class Evaluator:
    """`offer` is given, on the event loop, what passes lead to.

    Groups that are not among `holdings` are there to be looked at only.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        query: Queries,
        store: SampleStore,
        metrics: RuleMetrics,
        lookback: Duration,
        holdings: Holdings,
        offer: Callable[[Pass], None],
    ) -> None:
        self._clock = clock
        self._query = query
        self._store = store
        self._metrics = metrics
        self._holdings = holdings
        self._offer = offer
        self._inputs = Inputs(store, lookback)
        self._watch = Watch(store, query)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rules")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._reacting = False
        self.pace = Pace()
        # Replaced whole, on the thread; read everywhere.
        self.groups: Mapping[str, Group] = {}
        self.options = RulesOptions()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Have something done on the thread, after all that it was given before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def listen(self) -> None:
        """Hand results to the running event loop, and react to commits from now on."""
        self._loop = asyncio.get_running_loop()

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside everything else, as long as the program runs."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """End the thread, and what was to be done later."""
        for task in list(self._background):
            task.cancel()
        await asyncio.to_thread(self._thread.shutdown)

    def guarded(self, work: Callable[[], None]) -> None:
        """Do something on the thread that must not end all rules, whatever bug it has."""
        try:
            work()
        except Exception:  # the top of a callback: a bug must not end all rules
            log.exception("rule evaluation broke")
            self._metrics.failures.labels("").inc()

    def switch(
        self, options: RulesOptions, ours: Collection[str]
    ) -> tuple[list[Pass], list[Group]]:
        """Put new groups in force, on the thread; return what ends, and the groups that go.

        `ours` are those of which the rest of a moved rule's life is ours too.
        """
        old = self.groups
        new = {group.key: self._group_for(group, options) for group in options.groups}
        changed = [group for key, group in new.items() if old.get(key) is not group]
        gone = [group for key, group in old.items() if key not in new]
        moved = movable([group for key, group in old.items() if key in self._holdings], new)
        for group in changed:
            before = old.get(group.key)
            if before is not None and group.key in self._holdings:
                group.take_over(before)
            elif before is not None:
                group.resemble(before)
            for rule in group.alerting if group.key in ours else ():
                origin = moved.get(identity(rule))
                if origin is not None and not rule.alerts:
                    rule.adopt(origin[1])
                    del moved[identity(rule)]
        now = self._clock.now()
        ended = [
            Pass(rule.ended(now, _CORRELATION_OF_RELOAD), group=group.key, fence=fence)
            for group, rule in moved.values()
            if (fence := self._holdings.fence(group.key)) is not None
        ]
        self.groups, self.options = new, options
        self.watch_held()
        self._inputs.watch(each for group in new.values() for each in group.recording)
        return [done for done in ended if done.alerts], gone

    def drop(self, keys: Collection[str]) -> list[GroupStatus]:
        """Forget, on the thread, what is remembered of groups that others evaluate now.

        Return how they fared.
        """
        fresh: dict[str, Group] = {}
        for key in keys:
            fresh[key] = self._fresh(self.groups[key].group, self.options)
            fresh[key].resemble(self.groups[key])
            self._metrics.forget(key)
        fared = [self.groups[key].status() for key in keys]
        self.groups = {**self.groups, **fresh}
        self.watch_held()
        return fared

    def restore(
        self,
        fences: Mapping[str, Fence],
        kept: Mapping[str, Sequence[RuleAlert]],
        evaluated: Mapping[str, Timestamp | None],
    ) -> list[Pass]:
        """Restore groups, on the thread; return what is to be sent again at once."""
        correlation_id, now = new_correlation_id(), self._clock.now()
        due = []
        for key, fence in fences.items():
            group = self.groups[key]
            alerts = group.restore(kept, now, correlation_id, evaluated=evaluated[key])
            due.append(Pass(alerts, group=key, fence=fence))
        return due

    def watch_held(self) -> None:
        """React, on the thread, for the groups that are held now."""
        self._watch.watch([group for key, group in self.groups.items() if key in self._holdings])

    async def evaluate(
        self,
        group: Group,
        fence: Fence,
        ts: Timestamp,
        correlation_id: str,
        answers: Answers | None,
    ) -> None:
        """Evaluate a group, unless it is another's by the time that the thread comes to it."""

        def evaluate() -> None:
            if self.groups.get(group.key) is group and self._holdings.fence(group.key) == fence:
                self._deliver(group.evaluate(ts, correlation_id, answers), group, fence)

        await self.run(partial(self.guarded, evaluate))

    def on_commit(self, writes: Sequence[Write]) -> None:
        """Take note of what has become visible in the store, on the store's thread."""
        loop = self._loop
        if loop is None or not self._watch.note(writes) or self._reacting:
            return
        self._reacting = True
        wait = self.pace.wait(self._clock.monotonic())
        if wait > 0:
            loop.call_soon_threadsafe(lambda: self.later(self._react_in(wait)))
        else:
            self._thread.submit(self.guarded, self._react)

    async def bury(self, group: Group) -> None:
        """End the series of a removed group, once a renamed one had time to write them."""
        await self._clock.sleep(2 * group.interval / 1000)

        def bury() -> None:
            kept = {labels for alive in self.groups.values() for labels in alive.written()}
            group.bury(self._clock.now(), kept)

        await self.run(partial(self.guarded, bury))

    async def _react_in(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._thread.submit(self.guarded, self._react)

    def _react(self) -> None:
        self._reacting = False
        started = self._clock.monotonic()
        correlation_id = new_correlation_id()
        for each in self._watch.take():
            fence = self._holdings.fence(each.group.key)
            if fence is None:
                continue
            self._metrics.reactive_passes.inc(len(each.members))
            now = self._clock.now()
            done = each.group.evaluate_reactive(each.members, now, correlation_id, each.cause)
            self._deliver(done, each.group, fence)
        ended = self._clock.monotonic()
        self.pace.spent(ended - started, ended)
        self._metrics.reactive_seconds.inc(ended - started)

    def _deliver(self, done: Pass, group: Group, fence: Fence) -> None:
        """Hand results to the event loop; a cancelled wait does not lose them."""
        loop = self._loop
        something = done.alerts or done.changes or done.show or done.doubts
        if something and loop is not None:
            mine = replace(done, group=group.key, fence=fence)
            loop.call_soon_threadsafe(self._offer, mine)

    def _group_for(self, group: RuleGroup, options: RulesOptions) -> Group:
        """Return the group under these options: the one that runs, if nothing changed."""
        running = self.groups.get(group.key)
        if running is not None and running.group == group and _alike(self.options, options):
            return running
        return self._fresh(group, options)

    def _fresh(self, group: RuleGroup, options: RulesOptions) -> Group:
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


def _alike(one: RulesOptions, other: RulesOptions) -> bool:
    """Tell whether two options differ at most in their groups."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in RulesOptions.__dataclass_fields__
        if name != "groups"
    )
