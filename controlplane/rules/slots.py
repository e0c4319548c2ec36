"""The time of every group that is evaluated here: a pass in each of its slots."""

import asyncio
from collections.abc import Awaitable, Callable

from controlplane.clock import Clock, Timestamp
from controlplane.rules.group import Group
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.schedule import slot, slot_offset

# Evaluates a group at an instant; returns when it is done.
Evaluate = Callable[[Group, Timestamp], Awaitable[None]]


class Slots:
    """A task for each group. Belongs to the event loop."""

    def __init__(self, evaluate: Evaluate, *, clock: Clock, metrics: RuleMetrics) -> None:
        self._evaluate = evaluate
        self._clock = clock
        self._metrics = metrics
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, group: Group) -> None:
        """Evaluate a group from its next slot on, in the place of the one of its name."""
        task = self._tasks.get(group.key)
        if task is not None and task.get_name() == str(id(group)):
            return
        self.stop(group.key)
        self._metrics.rules.labels(group.key).set(len(group.members))
        made = asyncio.create_task(self._keep_time(group), name=str(id(group)))
        self._tasks[group.key] = made

    def stop(self, key: str) -> None:
        """Begin no further pass of a group; one that is being evaluated goes on to its end."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    def stop_all(self) -> None:
        for key in list(self._tasks):
            self.stop(key)

    async def _keep_time(self, group: Group) -> None:
        """Evaluate a group in each of its slots; count those that passed meanwhile."""
        interval = group.interval
        offset = slot_offset(group.key, interval)
        last = slot(self._clock.now(), interval, offset)
        self._count_since(group, last)
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
            self._count(group, (current - last) // interval, evaluated=1)
            last = current
            # Another replica, whose clock is ahead of ours, may have evaluated this one.
            if current != group.taken_from:
                await self._evaluate(group, current)

    def _count_since(self, group: Group, newest: Timestamp) -> None:
        """Count the slots that have passed since another replica evaluated the group."""
        if group.taken_from is not None:
            self._count(group, max(0, newest - group.taken_from) // group.interval, evaluated=0)

    def _count(self, group: Group, passed: int, *, evaluated: int) -> None:
        self._metrics.iterations.labels(group.key).inc(passed)
        if passed > evaluated:
            self._metrics.missed.labels(group.key).inc(passed - evaluated)
