"""Replicas on one world: what is a database, an alert sink and an engine to them is shared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from controlplane.model.fence import Token
from controlplane.model.share import Role, shard_of
from controlplane.rules.options import RulesOptions
from controlplane.rules.reporting import LocalReports
from tests.support.share import SettableShare
from tests.unit.rules.stage import Stage
from tests.unit.rules.world import DEFAULTS, Sink, States, World


class Replica(Stage):
    """A manager with a share that is given and taken by hand."""

    def __init__(self, world: World, states: States, sink: Sink, reports: LocalReports) -> None:
        self.share = SettableShare()
        super().__init__(world, states, share=self.share, reports=reports, sink=sink)
        self.task: asyncio.Task[None] | None = None
        self.peers: list[Replica] = []

    async def start(self, text: str, options: RulesOptions = DEFAULTS) -> None:
        await self.apply(text, options)
        self.task = asyncio.create_task(self.manager.run())
        await self.settle()

    async def settle(self) -> None:
        """Let all replicas finish what they have: each has a rule thread of its own."""
        for _ in range(3):
            for each in (self, *self.peers):
                if each.task is not None and not each.task.done():
                    await each.manager._evaluator.run(lambda: None)
            await self.world.clock.settle()

    async def kill(self) -> None:
        """End it as `kill -9` does: what waits is lost."""
        assert self.task is not None
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task
        await self.manager.close()


class Replicas:
    """Some replicas, of which each group has one owner at a time; tokens are kept here."""

    def __init__(self, states: States | None = None) -> None:
        self.world = World()
        self.states = states or States()
        self.sink = Sink()
        self.reports = LocalReports()
        self._tokens: dict[int, int] = {}

    @asynccontextmanager
    async def running(
        self, count: int, text: str, options: RulesOptions = DEFAULTS
    ) -> AsyncIterator[list[Replica]]:
        """Give started replicas that own nothing yet."""
        made = [Replica(self.world, self.states, self.sink, self.reports) for _ in range(count)]
        for each in made:
            each.peers = [other for other in made if other is not each]
        async with AsyncExitStack() as stack:
            for each in made:
                await each.start(text, options)
                stack.push_async_callback(self._end, each)
            yield made

    async def give(self, key: str, to: Replica) -> None:
        """Have a replica claim a group: who had it before is fenced from now on."""
        shard = shard_of(key)
        before = self._tokens.get(shard, 0)
        self.states.stale.add(Token(Role.EVALUATOR, shard, before))
        self.sink.stale = self.states.stale
        self._tokens[shard] = before + 1
        to.share.give(key, token=before + 1)
        await to.settle()

    async def hand_over(self, key: str, of: Replica, to: Replica, seconds: float = 0.0) -> None:
        """Move a group between healthy replicas, which takes some time."""
        of.share.take(key)
        await of.manager.quiet()
        if seconds:
            await to.advance(seconds)
        await self.give(key, to)

    async def _end(self, replica: Replica) -> None:
        if replica.task is not None and not replica.task.done():
            await replica.kill()
