"""Three replicas under faults: what is open at the receiver must be what is down.

Replicas are killed every 20 seconds; now and then Redis or PostgreSQL is away
for ten, a replica is paused or cut off for longer than its lease: off everything,
the targets too, where this machine gives a replica a network of its own. Meanwhile a
tenth of the targets is down, a changing one. At the end, with everything back,
the receiver's open incidents must be the targets that are down; none may have
been opened more often than its target broke down; and each target must have
been probed in at least 97 of 100 of its slots.
"""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from controlplane.clock import SystemClock, Timestamp
from controlplane.demo.standins import PagerDutyStandIn
from controlplane.demo.standins.received import Received
from tests.chaos.cluster.faults import Faults
from tests.chaos.cluster.world import Ticks, World
from tests.support.fleet import Fleet, fleet
from tests.support.namespace import allowed, namespace
from tests.support.wires import wire

INTERVAL: Final = 15_000
# How long everything may take to come right once nothing fails any more, in seconds.
_PATIENCE: Final = 180.0
# Registrations that are under way at a time.
_AT_ONCE: Final = 16
ENOUGH: Final = 0.97


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; times are in seconds, the faults' those between two."""

    replicas: int = 3
    targets: int = 2_000
    seconds: float = 900
    seed: int = 1
    kill: float = 20
    redis: float = 190
    redis_hang: float = 310
    postgres: float = 230
    pause: float = 170
    cut: float = 270
    change: float = 10
    changing: int = 20


@dataclass(slots=True)
class Result:
    """What came of a run; `problems` is empty when nobody could have noticed."""

    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    breakdowns: int = 0
    opened: int = 0
    # Breakdowns that ended, and the receiver never heard of one.
    untold: int = 0
    events: int = 0
    down: int = 0
    settled: float = 0.0
    ticks: Ticks | None = None
    problems: list[str] = field(default_factory=list)
    # What happened to targets of which the receiver was told wrongly.
    stories: list[str] = field(default_factory=list)


class ClusterChaos:
    """One run."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self._directory = directory
        self._plan = plan
        self._dice = Random(plan.seed)
        self._clock = SystemClock()
        self._result = Result()
        self._started = self._clock.now()
        # What the receiver was told of each target, and which target a dedup key is of.
        self._events: dict[str, list[tuple[Timestamp, str]]] = {}
        self._names: dict[str, str] = {}

    async def run(self) -> Result:
        """Do all of it; what went wrong is in the result."""
        plan, clock = self._plan, self._clock
        world = World(plan.targets, failing=plan.targets // 10, clock=clock, dice=self._dice)
        async with AsyncExitStack() as stack:
            apart = stack.enter_context(namespace()) if allowed() else None
            ground = "127.0.0.1" if apart is None else apart.ground
            await stack.enter_async_context(world.running(ground))
            pager = await stack.enter_async_context(PagerDutyStandIn(on_message=self._heard))
            to_pager = await stack.enter_async_context(wire(pager.port, ground))
            running = await stack.enter_async_context(
                fleet(
                    self._directory,
                    self._configuration(f"http://{to_pager.address}/v2/enqueue"),
                    count=plan.replicas,
                    apart=apart,
                )
            )
            ids = await self._register(running, world)
            # Everybody has been probed once before anything breaks.
            await clock.sleep(2 * INTERVAL / 1000)
            started = self._started = clock.now()
            await self._break(running, world)
            ended = clock.now()
            await self._settle(pager, world)
            self._result.seconds = (ended - started) / 1000
            self._result.ticks = world.ticks(ids, INTERVAL, started, ended)
            self._judge(pager, world)
            self._keep(running, world, ids)
        return self._result

    def _heard(self, event: Received) -> None:
        """Note when the receiver was told of a target."""
        payload = event.body.get("payload") or {}
        key = str(event.body.get("dedup_key", ""))
        name = self._names.setdefault(key, str(payload.get("summary", "")))
        self._events.setdefault(name, []).append((self._clock.now(), event.action.value))

    def _story(self, name: str, world: World) -> str:
        """Return what happened to a target, and what the receiver was told of it, in seconds."""
        told = [*world.services[name].changes, *self._events.get(name, ())]
        return f"{name}: " + ", ".join(
            f"{(at - self._started) / 1000:.1f} {what}" for at, what in sorted(told)
        )

    def _keep(self, running: Fleet, world: World, ids: dict[str, str]) -> None:
        """Leave what happened where it can be looked at: logs, and an account of each target."""
        for replica in running.replicas:
            lines = (json.dumps(line) + "\n" for line in replica.service.lines)
            (self._directory / f"{replica.name}.log").write_text("".join(lines))
        account = {
            name: {
                "id": ids[name],
                "asked": each.asked,
                "changes": each.changes,
                "told": self._events.get(name, []),
            }
            for name, each in world.services.items()
        }
        (self._directory / "targets.json").write_text(json.dumps(account))

    def _configuration(self, pagerduty_url: str) -> dict[str, Any]:
        rules = self._directory / "fleet.rules.yml"
        rules.write_text(_RULES)
        key = "0123456789abcdef0123456789abcdef"
        receiver = {"routing_key": key, "description": "{{ .CommonLabels.job }}"}
        return {
            "global": {
                "scrape_interval": f"{INTERVAL}ms",
                "evaluation_interval": "5s",
                "pagerduty_url": pagerduty_url,
            },
            "rule_files": [str(rules)],
            "route": {
                "receiver": "oncall",
                "group_by": ["alertname", "job"],
                "group_wait": "1s",
                "group_interval": "5s",
            },
            "receivers": [{"name": "oncall", "pagerduty_configs": [receiver]}],
        }

    async def _register(self, running: Fleet, world: World) -> dict[str, str]:
        """Register every service at some replica; return the targets' ids by name."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, name: str) -> tuple[str, str]:
            service = running.services[number % len(running.services)]
            async with free:
                target = await service.register(name, f"{world.url}/{name}")
            return name, target["id"]

        return dict(await asyncio.gather(*(one(n, name) for n, name in enumerate(world.services))))

    async def _break(self, running: Fleet, world: World) -> None:
        plan, faults = self._plan, Faults(running, self._clock, self._dice)
        schedule = (
            (plan.kill, faults.kill),
            (plan.redis, faults.redis_away),
            (plan.redis_hang, faults.redis_hangs),
            (plan.postgres, faults.postgres_away),
            (plan.pause, faults.pause),
            (plan.cut, faults.cut_off),
        )
        until = self._clock.monotonic() + plan.seconds

        async def again(seconds: float, act: Any) -> None:
            while self._clock.monotonic() + seconds < until:
                await self._clock.sleep(seconds)
                doing.create_task(act())  # one that lasts puts off no other

        async def change() -> None:
            world.change(plan.changing)

        world.change(0)
        async with asyncio.TaskGroup() as doing:
            doing.create_task(again(plan.change, change))
            for seconds, act in schedule:
                if seconds:
                    doing.create_task(again(seconds, act))
        self._result.faults = faults.done

    async def _settle(self, pager: PagerDutyStandIn, world: World) -> None:
        began = self._clock.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while _open(pager) != world.down():
                    await self._clock.sleep(0.5)
        self._result.settled = self._clock.monotonic() - began
        # What is queued still, were it wrong, has its chance to come.
        await self._clock.sleep(INTERVAL / 1000)

    def _judge(self, pager: PagerDutyStandIn, world: World) -> None:
        result, opened = self._result, Counter(each.summary for each in pager.incidents)
        result.opened, result.events = len(pager.incidents), pager.requests
        result.breakdowns = sum(each.breakdowns for each in world.services.values())
        down, open_ = world.down(), _open(pager)
        result.down = len(down)
        if open_ != down:
            extra, missing = Counter(open_) - Counter(down), Counter(down) - Counter(open_)
            result.problems.append(
                f"open but well: {_some(extra)}; down but not open: {_some(missing)}"
            )
        untold = Counter(
            {each.name: each.breakdowns - opened[each.name] for each in world.services.values()}
        )
        result.untold = sum((+untold).values())
        often = Counter(
            {
                each.name: opened[each.name] - each.breakdowns
                for each in world.services.values()
                if opened[each.name] > each.breakdowns
            }
        )
        if untold := +untold:
            result.problems.append(f"broke down, and nobody was told: {_some(untold)}")
        if often:
            result.problems.append(f"opened more often than they broke down: {_some(often)}")
        wrong = (
            set(often)
            | set(untold)
            | set(Counter(open_) - Counter(down))
            | set(Counter(down) - Counter(open_))
        )
        result.stories = [self._story(name, world) for name in sorted(wrong)[:5]]
        if pager.refused:
            result.problems.append(f"refused by the receiver: {pager.refused[:3]}")
        ticks = result.ticks
        if ticks is not None and (few := ticks.short_of(ENOUGH)):
            result.problems.append(f"{few} targets were probed in less than 97 % of their slots")


_RULES: Final = """
groups:
  - name: fleet
    interval: 5s
    rules:
      - alert: Down
        expr: probe_success == 0
        labels: {severity: critical}
"""


def _open(pager: PagerDutyStandIn) -> list[str]:
    return sorted(incident.summary for incident in pager.open_incidents())


def _some(counted: Counter[str]) -> str:
    shown = ", ".join(f"{name} ({n})" for name, n in sorted(counted.items())[:5])
    return f"{len(counted)} such as {shown}" if counted else "none"


def told(plan: Plan, result: Result) -> str:
    """Return the result as a table."""
    ticks = result.ticks
    rows: dict[str, object] = {
        "replicas, targets": f"{plan.replicas}, {plan.targets}",
        "seconds": f"{result.seconds:.0f}",
        **dict(sorted(result.faults.items())),
        "targets broke down": result.breakdowns,
        "incidents opened": result.opened,
        "breakdowns nobody was told of": result.untold,
        "requests at the receiver": result.events,
        "down, and open, at the end": result.down,
        "seconds until the receiver agreed": f"{result.settled:.0f}",
    }
    if ticks is not None and ticks.wanted:
        rows |= {
            "slots": ticks.wanted,
            "probed": f"{ticks.probed} ({100 * ticks.probed / ticks.wanted:.2f} %)",
            "probed more than once": ticks.twice,
            "least share of a target's slots": f"{100 * ticks.least():.1f} %",
        }
    rows["problems"] = "; ".join(result.problems) or "none"
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| replicas under faults | |", "| --- | --- |", *lines, *result.stories])
