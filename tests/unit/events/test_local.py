"""The bus of one process."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from controlplane.events.event import Event, Kind
from controlplane.events.local import LocalBus
from controlplane.events.metrics import BusMetrics
from tests.support.clock import ManualClock


def bus(kept: int = 4_096) -> LocalBus:
    """Return a bus at some instant."""
    return LocalBus(ManualClock(1_000), BusMetrics(CollectorRegistry()), kept)


def event(subject: str) -> Event:
    """Return an event about something."""
    return Event(Kind.TARGET, subject, 1_000)


async def first(listening: AsyncIterator[Sequence[Event]]) -> list[str]:
    """Return kinds or subjects of the first events that come."""
    async with asyncio.timeout(5):
        events = await anext(listening)
    return [each.subject or each.kind.value for each in events]


async def test_events_come_in_order_and_together() -> None:
    """Who listens gets what happens from now on, what happens at once in one go."""
    told = bus()
    told.publish(event("before"))
    listening = told.listen()
    waiting = asyncio.create_task(first(listening))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    told.publish(event("a"))
    told.publish(event("b"))
    assert await waiting == ["a", "b"]


async def test_resuming_misses_nothing() -> None:
    """After the last id that was seen come those published since."""
    told = bus()
    told.publish(event("a"))
    position = told.position
    told.publish(event("b"))
    told.publish(event("c"))
    assert await first(told.listen(position)) == ["b", "c"]


@pytest.mark.parametrize("after", ["other-1", "3e8-99", "3e8-", "3e8-x", "nonsense"])
async def test_an_unknown_position_starts_over(after: str) -> None:
    """An id of another run, of the future or of nobody: read everything anew."""
    told = bus()
    told.publish(event("a"))
    assert await first(told.listen(after)) == ["reset"]


async def test_who_falls_behind_starts_over() -> None:
    """What is no longer kept cannot be told; then the listener goes on."""
    told = bus(kept=2)
    position = told.position
    for subject in "abc":
        told.publish(event(subject))
    listening = told.listen(position)
    assert await first(listening) == ["reset"]
    told.publish(event("d"))
    assert await first(listening) == ["d"]


async def test_closing_ends_all_listening() -> None:
    """Nobody waits for a bus that is closed."""
    told = bus()
    ended = asyncio.create_task(_all(told))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    told.close()
    async with asyncio.timeout(5):
        assert await ended == []


async def _all(told: LocalBus) -> list[Event]:
    return [each async for events in told.listen() for each in events]


async def test_recent_events_are_those_still_kept_the_newest_first() -> None:
    """Who opens a page sees what happened before; what left the ring is forgotten."""
    told = bus(kept=2)
    for subject in ("a", "b", "c"):
        told.publish(event(subject))
    assert [each.subject for each in told.recent()] == ["c", "b"]
