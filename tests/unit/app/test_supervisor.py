"""Supervision: what dies is started anew, counted, and shown while it is down."""

import asyncio

from prometheus_client import CollectorRegistry

from controlplane.app.supervisor import Supervisor
from tests.support.clock import ManualClock


async def test_a_task_that_fails_is_started_anew_after_a_growing_delay() -> None:
    """Two failures in a row: down meanwhile, counted, the second wait twice the first."""
    clock, registry, starts = ManualClock(), CollectorRegistry(), 0
    supervisor = Supervisor(clock, registry)

    async def run() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise ValueError("broken")
        await asyncio.Event().wait()

    supervisor.start("loop", run)
    await clock.settle()
    assert supervisor.down() == ["loop"]
    await clock.advance(0.11)
    assert starts == 2
    await clock.advance(0.11)
    assert starts == 2
    await clock.advance(0.11)
    assert starts == 3
    assert supervisor.down() == []
    assert registry.get_sample_value("controlplane_task_restarts_total", {"task": "loop"}) == 2
    await supervisor.stop()


async def test_a_task_that_returns_is_no_better() -> None:
    """A loop that ends by itself, without an error, is started anew too."""
    clock, starts = ManualClock(), 0
    supervisor = Supervisor(clock, CollectorRegistry())

    async def run() -> None:
        nonlocal starts
        starts += 1

    supervisor.start("loop", run)
    await clock.settle()
    await clock.advance(0.15)
    assert starts == 2
    await supervisor.stop()


async def test_the_last_started_ends_first_and_hands_over() -> None:
    """Tasks end in the opposite order, each drained before the one it hands to is ended."""
    clock, story = ManualClock(), []
    supervisor = Supervisor(clock, CollectorRegistry())

    def task(name: str) -> None:
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                story.append(f"{name} ends")

        async def drain() -> None:
            story.append(f"{name} drains")

        supervisor.start(name, run, drain=drain)

    task("worker")
    task("rules")
    await clock.settle()
    await supervisor.stop()
    assert story == ["rules ends", "rules drains", "worker ends", "worker drains"]


async def test_a_drain_that_fails_stops_nobody_else() -> None:
    """An error while one task hands over does not keep the others from ending well."""
    clock, drained = ManualClock(), []
    supervisor = Supervisor(clock, CollectorRegistry())

    async def forever() -> None:
        await asyncio.Event().wait()

    async def good() -> None:
        drained.append("first")

    async def bad() -> None:
        raise ValueError("cannot hand over")

    supervisor.start("first", forever, drain=good)
    supervisor.start("second", forever, drain=bad)
    await clock.settle()
    await supervisor.stop()
    assert drained == ["first"]
