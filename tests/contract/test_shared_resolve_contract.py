"""Whoever was told "firing" is told "resolved", once: with two replicas that hand over and die."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.demo.standins import PagerDutyStandIn
from controlplane.model.alert import AlertStatus
from controlplane.storage.database import Database
from tests.support import postgres_schema
from tests.support.alerting import QUICK, Alerting, alerting
from tests.support.shards import ALL, EVEN, ODD, Part, Shards
from tests.unit.notify.contract import FAULTS, MUTES, ROUTES, Machine

SHARES: Final = {"even": EVEN, "odd": ODD, "all": ALL}
NAMES: Final = "ab"
# Short, as those who take over wait for it; attempts take part of it at most.
LEASE = replace(QUICK, lease=2_000)

_REPLICA = st.sampled_from(NAMES)
_MOVE = st.builds("{} {}".format, st.sampled_from(sorted(SHARES)), _REPLICA)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(("hand_over", "pause")), _MOVE),
    st.tuples(st.sampled_from(("kill", "visit")), _REPLICA),
    st.tuples(st.sampled_from(("fire", "resolve", "mention")), st.sampled_from("123")),
    st.tuples(st.just("silence"), st.sampled_from(("1 short", "all long", "2 until resolved"))),
    st.tuples(st.just("wait"), st.just("")),
    st.tuples(st.just("mute"), st.sampled_from(sorted(MUTES))),
    st.tuples(st.just("reload"), st.sampled_from(sorted(ROUTES))),
    st.tuples(st.just("fault"), st.sampled_from(sorted(FAULTS))),
)
_ANY_TIME = [HealthCheck.too_slow, HealthCheck.data_too_large]


class Pair(Machine):
    """The same machine on two replicas; what is done is done at the one that is visited."""

    def __init__(self, directory: Path, url: str, pagerduty: PagerDutyStandIn) -> None:
        super().__init__(directory, pagerduty)
        self.url = url
        self.database = Database(url)
        self.shards = Shards(self.database)
        self.parts: dict[str, Part] = {}
        self.systems: dict[str, Alerting] = {}
        self.visited = "a"
        self.runs = count(1)

    async def start(self) -> None:
        self.stack = AsyncExitStack()
        self.stack.push_async_callback(self.database.close)
        for name in NAMES:
            await self._begin(name)
        await self.shards.move(ALL, self.parts["a"])
        await self.visit("a")

    async def visit(self, name: str) -> None:
        self.visited = name
        self.system = self.systems[name]

    async def hand_over(self, move: str) -> None:
        """One replica lets go of shards, then another one has them."""
        which, to = move.split()
        losers = [part for name, part in self.parts.items() if name != to]
        await self.shards.move(SHARES[which], self.parts[to], losers=losers)

    async def pause(self, move: str) -> None:
        """One replica takes shards from another that learns of it too late."""
        which, to = move.split()
        await self.shards.move(SHARES[which], self.parts[to])
        await self.wait("")
        for name, part in self.parts.items():
            if name != to:
                part.lose(SHARES[which])

    async def kill(self, name: str) -> None:
        """One replica is gone in the middle of whatever it did; another run of it begins."""
        await self.systems[name].kill()
        other = NAMES.replace(name, "")
        await self.shards.move(ALL, self.parts[other])
        await self._begin(name)
        await self.visit(self.visited)

    async def do(self, operations: Sequence[tuple[str, str]]) -> None:
        for operation in operations:
            await self._know()
            await super().do([operation])

    async def quiet(self) -> None:
        """End everything, as ever; each replica sweeps what is its own."""
        await self._know()
        sweeps = asyncio.create_task(self._sweep())
        await super().quiet()
        sweeps.cancel()

    async def _begin(self, name: str) -> None:
        self.parts[name] = Part()
        self.systems[name] = await self.stack.enter_async_context(
            alerting(
                self.directory,
                ROUTES[self.route],
                self.receivers(),
                url=self.url,
                share=self.parts[name],
                owner=f"{name}/{next(self.runs)}",
                options=LEASE,
                mute=MUTES[self.muting],
            )
        )

    async def _change(self) -> None:
        for system in self.systems.values():
            await system.reload(ROUTES[self.route], self.receivers(), MUTES[self.muting])

    async def _is_busy(self) -> bool:
        await self._know()
        firing = self.system.alerts.list(AlertStatus.FIRING)
        held = [
            group
            for name, system in self.systems.items()
            for group in system.dispatcher.groups()
            if self.parts[name].owns(group.work)
        ]
        unfinished = await self.system.store.open_incidents()
        return bool(unfinished or firing or held or self.pagerduty.open_incidents())

    async def _know(self) -> None:
        """Have the visited replica know what the other one wrote."""
        assert self.system.mirrors is not None
        await self.system.mirrors.fresh()

    async def _sweep(self) -> None:
        while True:
            for system in self.systems.values():
                await system.sweeper.sweep(self.now)
            await self.system.clock.sleep(0.05)


async def play(operations: Sequence[tuple[str, str]]) -> None:
    with TemporaryDirectory() as directory, postgres_schema.migrated() as url:
        async with PagerDutyStandIn() as pagerduty, Pair(Path(directory), url, pagerduty) as pair:
            await pair.play(operations)


@settings(max_examples=3, deadline=None, suppress_health_check=_ANY_TIME)
@given(operations=st.lists(OPERATIONS, max_size=8))
def test_every_incident_is_opened_once_and_closed(operations: list[tuple[str, str]]) -> None:
    """Whatever moves where, and whoever dies: at quiescence nothing is open."""
    asyncio.run(play(operations))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=_ANY_TIME)
@given(operations=st.lists(OPERATIONS, min_size=6, max_size=25))
def test_every_incident_is_opened_once_and_closed_in_the_long_run(
    operations: list[tuple[str, str]],
) -> None:
    """The same, longer and more often."""
    asyncio.run(play(operations))


@pytest.mark.parametrize(
    "moves",
    [
        [("hand_over", "all b"), ("resolve", "1"), ("hand_over", "all a")],
        [("pause", "all b"), ("resolve", "1"), ("pause", "all a"), ("fire", "1")],
        [("silence", "all long"), ("kill", "a"), ("resolve", "1")],
        [("reload", "renamed"), ("hand_over", "all b"), ("resolve", "1"), ("visit", "b")],
        [("reload", "gone"), ("kill", "b"), ("resolve", "1")],
    ],
    ids=str,
)
def test_an_end_is_told_through_every_move(moves: list[tuple[str, str]]) -> None:
    """What one replica told is ended by the other, or by its next run."""
    asyncio.run(play([("fire", "1"), ("wait", ""), *moves]))
