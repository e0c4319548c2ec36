"""A manager on a clock moved by hand, over a world; several of them on one world are replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlplane.model.share import WHOLE, Share
from controlplane.rules.load import load_text
from controlplane.rules.manager import Manager
from controlplane.rules.options import RulesOptions
from controlplane.rules.ports import RemoteQueries, Reports
from tests.unit.rules.world import DEFAULTS, Sink, States, World

SLOW = """
groups:
- name: g
  interval: 10s
  rules:
  - {alert: Down, expr: up == 0, for: 20s}
"""
FAST = """
groups:
- name: g
  interval: 1s
  rules:
  - {alert: Down, expr: up == 0}
"""


class Stage:
    """A manager over a world, with a sink and a state store."""

    def __init__(
        self,
        world: World,
        states: States | None = None,
        *,
        share: Share = WHOLE,
        reports: Reports | None = None,
        sink: Sink | None = None,
        remote: RemoteQueries | None = None,
    ) -> None:
        self.world = world
        self.sink = sink or Sink()
        self.states = states or States()
        self.manager = Manager(
            clock=world.clock,
            query=world.query,
            store=world.store,
            sink=self.sink,
            states=self.states,
            metrics=world.metrics,
            share=share,
            reports=reports,
            remote=remote,
        )
        world.store.subscribe(self.manager.on_commit)

    @asynccontextmanager
    async def running(self, text: str, options: RulesOptions = DEFAULTS) -> AsyncIterator["Stage"]:
        """Apply the rules and run until the block ends; then drain, as on SIGTERM."""
        await self.apply(text, options)
        task = asyncio.create_task(self.manager.run())
        await self.settle()
        try:
            yield self
        except BaseException:
            task.cancel()
            raise  # what was expected, not what the drain would wait for
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await self.manager.drain()
            await self.manager.close()

    async def apply(self, text: str, options: RulesOptions = DEFAULTS) -> None:
        """Put other rules in force."""
        groups = load_text(text, "f.yml") if text else ()
        await self.manager.apply(replace(options, groups=groups))

    async def settle(self) -> None:
        """Let the rule thread and the loop finish what they have."""
        for _ in range(3):
            await self.manager._evaluator.run(lambda: None)
            await self.world.clock.settle()

    async def advance(self, seconds: float, step: float = 1.0) -> None:
        """Move the clock on in steps, letting each evaluation end."""
        moved = 0.0
        while moved < seconds:
            await self.world.clock.advance(step)
            await self.settle()
            moved += step

    def states_of(self) -> list[str]:
        """Return the states of the alerts of the first rule."""
        return [alert.state.value for alert in self.manager.groups()[0].rules[0].alerts]

    def count(self, name: str) -> float:
        """Return the value of a counter."""
        return self.world.registry.get_sample_value(name) or 0.0
