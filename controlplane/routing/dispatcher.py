"""The dispatcher: puts alerts into groups and hands on the groups that are due."""

import asyncio
import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView
from contextlib import contextmanager
from itertools import count
from math import inf
from typing import Final

from controlplane.clock import Clock, Duration, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError, Fenced
from controlplane.model.alert import OWN_NETWORK_DOWN, Alert
from controlplane.model.fence import Fence
from controlplane.model.labels import Labels
from controlplane.model.share import WHOLE, Share
from controlplane.routing.group import Group, first_due
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.ports import (
    Flush,
    Fresh,
    Grouped,
    Kept,
    Record,
    Stage,
    always_fresh,
)
from controlplane.routing.tree import Node, recipients
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

# Groups in one call of the stage, so that one transaction stays short.
_BATCH: Final = 100
# A stage that failed is tried again after this long.
_RETRY: Final[Duration] = 1_000
# The loop looks at the clock at least this often: it may have been set.
_LONGEST_SLEEP: Final = 10.0
# A wall clock that falls back by more than this takes the timers with it.
_JUMP: Final[Duration] = 1_000
# Groups of others are cleared of what has ended each so many seconds.
_PRUNE_INTERVAL: Final = 60.0

Identity = tuple[str, str]


class Dispatcher:
    """Owns the aggregation groups of one routing tree.

    `offer` may be called at any time from the event loop; `run` hands groups
    on as they become due, at once where `group_wait` is 0.

    Where several replicas share the work, each has all groups, and hands on
    those that are its own. One of another replica is parked when it is due:
    should it become ours, it is due at once, and what was told already is known
    to the notification log.
    """

    def __init__(
        self,
        root: Node,
        stage: Stage,
        clock: Clock,
        metrics: RoutingMetrics,
        *,
        tells: Callable[[str], bool] = lambda _receiver: True,
        record: Record = lambda _grouped: None,
        share: Share = WHOLE,
        kept: Kept = lambda _alert: True,
        fresh: Fresh = always_fresh,
    ) -> None:
        """`tells` says whether a receiver tells anybody; `record` hears what is grouped.

        `share` is what this replica hands on; `kept` says which alerts there
        are yet; `fresh` is awaited before groups are looked at.
        """
        self._root = root
        self._tells = tells
        self._record = record
        self._stage = stage
        self._clock = clock
        self._metrics = metrics
        self._share = share
        self._kept = kept
        self._fresh = fresh
        self._groups: dict[Identity, Group] = {}
        self._timers: list[tuple[Timestamp, int, Group]] = []
        self._order = count()
        self._woken = asyncio.Event()
        self._outage = Outage(log, clock.monotonic)
        self._gathering = 0
        self._pruned = clock.monotonic()
        share.subscribe(self._share_changed)

    def receivers(self, labels: Labels) -> tuple[str, ...]:
        """Return the names of the receivers that an alert with these labels is for."""
        return tuple(dict.fromkeys(node.receiver for node in self._recipients(labels)))

    def groups(self) -> tuple[Group, ...]:
        """Return the groups that hold alerts."""
        return tuple(self._groups.values())

    def look(self, now: Timestamp) -> tuple[Flush, ...]:
        """Return every group that holds alerts as it would be told now."""
        return tuple(group.look(now) for group in self._groups.values())

    def size(self) -> tuple[int, int]:
        """Return how many groups there are, and how many alerts they hold together."""
        return len(self._groups), sum(map(len, self._groups.values()))

    def owned(self) -> KeysView[Identity]:
        """Return a view of (receiver, group key) of every group: other incidents are orphans."""
        return self._groups.keys()

    def offer(self, alerts: Iterable[Alert], now: Timestamp) -> None:
        """Put alerts into their groups, also those that have ended."""
        for alert in alerts:
            for node in self._recipients(alert.labels):
                self._insert(node, alert, now)
        self._metrics.groups.set(len(self._groups))
        self._woken.set()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Hand nothing on while the block runs: what comes in parts is told as one."""
        self._gathering += 1
        try:
            yield
        finally:
            self._gathering -= 1
            self._woken.set()

    def reload(self, root: Node, alerts: Iterable[Alert], now: Timestamp) -> None:
        """Change to another tree: all alerts are grouped anew.

        Groups that the new tree has too go on with their clocks, so that
        nothing is flushed early or late because of a reload.
        """
        old, self._groups, self._timers = self._groups, {}, []
        self._root = root
        self.offer((alert for group in old.values() for alert in group.alerts), now)
        self.offer(alerts, now)
        for identity, group in self._groups.items():
            if identity in old:
                group.take_over(old[identity], now)
                self._schedule(group)
        self._metrics.groups.set(len(self._groups))

    def hurry(self, labels: Collection[Labels], now: Timestamp) -> None:
        """Have the groups of some alerts be due now: what kept them from being told is over."""
        for group in self._groups.values():
            if group.due > now and group.holds_any(labels):
                group.due = now
                self._schedule(group)
        self._woken.set()

    def prune(self, now: Timestamp) -> None:
        """Drop from the parked groups the alerts that have ended and are kept no more."""
        for identity, group in tuple(self._groups.items()):
            if group.parked:
                group.prune(now, self._kept)
                if not group:
                    del self._groups[identity]
        self._metrics.groups.set(len(self._groups))

    def next_due(self) -> Timestamp | None:
        """Return when the next group is due, or None without groups."""
        while self._timers and self._outdated(self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    async def flush_due(self, now: Timestamp) -> int:
        """Hand on all groups that are due at `now`; return how many."""
        done = 0
        while due := () if self._gathering else self._take_due(now):
            for group, _ in due:
                self._metrics.lateness.observe(max(0, now - group.due) / 1000)
            pairs = [(group, group.flush(now, fence)) for group, fence in due]
            for group, _ in due:
                self._schedule(group)
            await self._hand_on(pairs, now)
            done += len(pairs)
        return done

    async def run(self) -> None:
        """Hand on groups as they become due, until cancelled."""
        last = self._clock.now()
        while True:
            self._woken.clear()
            if (self.next_due() or inf) <= self._clock.now():
                await self._fresh()
            now = self._clock.now()
            if now < last - _JUMP:
                self._shift(now - last)
            last = now
            await self.flush_due(now)
            self._prune_sometimes(now)
            due = self.next_due()
            wait = _LONGEST_SLEEP
            if due is not None and not self._gathering:
                wait = min(wait, (due - self._clock.now()) / 1000)
            await sleep_unless(self._clock, self._woken, wait)

    def _recipients(self, labels: Labels) -> tuple[Node, ...]:
        return recipients(self._root, labels, self._tells)

    def _insert(self, node: Node, alert: Alert, now: Timestamp) -> None:
        labels = node.group_labels(alert.labels)
        identity = (node.receiver, node.group_key(labels))
        group = self._groups.get(identity)
        if group is None:
            group = Group(node, labels, due=first_due(node, alert, now))
            self._groups[identity] = group
            self._schedule(group)
        if group.insert(alert):
            if self._share.owns(group.work):
                self._record(
                    Grouped(alert, node.receiver, group.key, node.key, node.group_wait, at=now)
                )
            if alert.name == OWN_NETWORK_DOWN and group.due > now:
                group.due = now  # it tells why others are not told: it waits for nobody
                self._schedule(group)

    def _schedule(self, group: Group) -> None:
        heapq.heappush(self._timers, (group.due, next(self._order), group))

    def _outdated(self, timer: tuple[Timestamp, int, Group]) -> bool:
        due, _, group = timer
        return due != group.due or self._groups.get(group.identity) is not group

    def _take_due(self, now: Timestamp) -> list[tuple[Group, Fence]]:
        """Take groups that are due and ours, each with what must hold when it is told."""
        taken: list[tuple[Group, Fence]] = []
        while len(taken) < _BATCH:
            due = self.next_due()
            if due is None or due > now:
                break
            group = heapq.heappop(self._timers)[2]
            try:
                taken.append((group, self._share.fence((group.work,))))
            except Fenced:
                group.parked = True
        return taken

    def _again(self, pairs: list[tuple[Group, Flush]], now: Timestamp) -> None:
        """Have groups that could not be handed on be due again soon."""
        self._metrics.flush_failures.inc()
        for group, _ in pairs:
            group.due = now + _RETRY
            self._schedule(group)

    def _was_ours(self, group: Group, flush: Flush, now: Timestamp) -> bool:
        """Tell whether a group stayed ours until it was handed on: else it may not be told.

        It is told by who has it now; should that be us again, at once.
        """
        try:
            stayed = self._share.fence((group.work,)) == flush.fence
        except Fenced:
            group.parked = True
            return False
        if not stayed:
            group.due = now
            self._schedule(group)
        return stayed

    def _share_changed(self) -> None:
        """Have the parked groups that became ours be due now; others keep their clocks."""
        now = self._clock.now()
        for group in self._groups.values():
            if group.parked and self._share.owns(group.work):
                group.parked = False
                group.due = now
                self._schedule(group)
        self._woken.set()

    def _prune_sometimes(self, now: Timestamp) -> None:
        monotonic = self._clock.monotonic()
        if monotonic - self._pruned >= _PRUNE_INTERVAL:
            self._pruned = monotonic
            self.prune(now)

    async def _hand_on(self, pairs: list[tuple[Group, Flush]], now: Timestamp) -> None:
        try:
            await self._stage([flush for _, flush in pairs])
        except ControlPlaneError as error:
            self._outage.fails("groups could not be handed on", reason=str(error))
            self._again(pairs, now)
        except Exception:
            log.exception("groups could not be handed on", groups=len(pairs))
            self._again(pairs, now)
        else:
            self._outage.works("groups are handed on again")
            for group, flush in pairs:
                self._metrics.flushes.labels(flush.receiver).inc()
                if not self._was_ours(group, flush, now):
                    continue
                group.forget(flush)
                if not group and self._groups.get(group.identity) is group:
                    del self._groups[group.identity]
        self._metrics.groups.set(len(self._groups))

    def _shift(self, delta: Duration) -> None:
        """Move every timer along with a wall clock that was set back."""
        for group in self._groups.values():
            group.due += delta
            if not group.parked:
                self._schedule(group)
