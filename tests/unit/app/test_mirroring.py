"""Mirrors: looks are shared, bounded, and lose nothing when they fail."""

import asyncio
from collections.abc import Collection

import pytest
from prometheus_client import CollectorRegistry

from controlplane.app.mirroring import MirrorMetrics, Mirrors
from controlplane.errors import Unavailable
from controlplane.storage.changes import Cursor, News
from tests.support.clock import ManualClock


class Feed:
    """Changes that a test makes; it can be away, and slow."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.looks = 0
        self.trims = 0
        self.away = False
        self.gate: asyncio.Event | None = None

    async def position(self) -> Cursor:
        return Cursor("", 0)

    async def since(self, cursor: Cursor) -> tuple[Cursor, News]:
        self.looks += 1
        read = self.news.pop(0) if self.news else News()
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise Unavailable("no database")
        return Cursor("", cursor.at + 1), read

    async def trim(self) -> int:
        self.trims += 1
        return 0


class System:
    """Two mirrors, of targets and of alerts, over such a feed."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.clock = ManualClock()
        self.registry = CollectorRegistry()
        self.taken: list[tuple[str, Collection[str] | None]] = []
        self.broken: Exception | None = None
        handlers = {"target": self._targets, "alert": self._alerts}
        self.mirrors = Mirrors(self.feed, handlers, self.clock, MirrorMetrics(self.registry))

    async def _targets(self, keys: Collection[str] | None) -> None:
        self.taken.append(("target", keys if keys is None else frozenset(keys)))

    async def _alerts(self, keys: Collection[str] | None) -> None:
        if self.broken is not None:
            raise self.broken
        self.taken.append(("alert", keys if keys is None else frozenset(keys)))

    def value(self, name: str) -> float:
        return self.registry.get_sample_value(f"controlplane_mirror_{name}") or 0.0


@pytest.fixture
async def system() -> System:
    made = System()
    await made.mirrors.begin()
    return made


async def test_each_kind_is_taken_up_by_its_mirror(system: System) -> None:
    """In the order of the mirrors; a kind that nobody mirrors is passed over."""
    system.feed.news = [News({"alert": {"a", "b"}, "unknown": {"x"}, "target": {"t"}})]
    await system.mirrors.fresh()
    await system.mirrors.fresh()
    assert system.taken == [("target", {"t"}), ("alert", {"a", "b"})]


async def test_when_too_much_was_missed_all_is_read(system: System) -> None:
    """Every mirror reads all its rows anew."""
    system.feed.news = [News(everything=True)]
    await system.mirrors.fresh()
    assert system.taken == [("target", None), ("alert", None)]


async def test_callers_share_a_look_that_began_after_them(system: System) -> None:
    """Who comes while one is under way waits for the next one, together with others."""
    system.feed.gate = asyncio.Event()
    first = asyncio.create_task(system.mirrors.fresh())
    await system.clock.settle()
    later = [asyncio.create_task(system.mirrors.fresh()) for _ in range(5)]
    await system.clock.settle()
    assert system.feed.looks == 1
    system.feed.gate.set()
    await asyncio.gather(first, *later)
    assert system.feed.looks == 2


@pytest.mark.parametrize("error", [Unavailable("no database"), ZeroDivisionError()])
async def test_what_was_read_is_not_lost(system: System, error: Exception) -> None:
    """A mirror that could not take up its rows is asked again, with what came since."""
    system.feed.news = [News({"alert": {"a"}}), News({"alert": {"b"}})]
    system.broken = error
    await system.mirrors.fresh()
    assert (system.taken, system.value("failures_total")) == ([], 1)
    system.broken = None
    running = asyncio.create_task(system.mirrors.run())
    await system.clock.settle()
    await system.clock.advance(0)
    running.cancel()
    assert system.taken == [("alert", {"a", "b"})]


async def test_no_request_waits_for_a_database_that_is_away(system: System) -> None:
    """After the first failure requests are answered at once, until a look succeeds."""
    system.feed.away = True
    await system.mirrors.fresh()
    await system.mirrors.fresh()
    assert (system.feed.looks, system.value("stale_answers_total")) == (1, 1)
    running = asyncio.create_task(system.mirrors.run())
    system.feed.away = False
    await system.clock.advance(1.1)
    running.cancel()
    await system.mirrors.fresh()
    assert system.value("stale_answers_total") == 1
    assert system.value("last_success_timestamp_seconds") == system.clock.now() / 1000


async def test_a_slow_look_is_not_waited_for(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its patience a request is answered from what is there, and the look goes on."""
    monkeypatch.setattr("controlplane.app.mirroring._PATIENCE", 0.01)
    system.feed.gate = asyncio.Event()
    system.feed.news = [News({"alert": {"a"}})]
    await system.mirrors.fresh()
    assert (system.taken, system.value("stale_answers_total")) == ([], 1)
    system.feed.gate.set()
    await system.mirrors.drain()
    assert system.taken == [("alert", {"a"})]


async def test_nobody_waits_for_a_look_that_hangs(system: System) -> None:
    """One that takes longer than anybody's patience is waited for by nobody who comes later."""
    system.feed.gate = asyncio.Event()
    first = asyncio.create_task(system.mirrors.fresh())
    await system.clock.settle()
    await system.clock.advance(1.1)
    async with asyncio.timeout(0.5):
        await system.mirrors.fresh()
    assert (system.feed.looks, system.value("stale_answers_total")) == (1, 1)
    system.feed.gate.set()
    await first
    await system.mirrors.fresh()
    assert system.value("stale_answers_total") == 1


async def test_looks_come_every_second_and_when_woken(system: System) -> None:
    """Others' word brings the next look forward, but not without a pause."""
    running = asyncio.create_task(system.mirrors.run())
    await system.clock.settle()
    await system.clock.advance(2.5)
    assert system.feed.looks == 3
    system.mirrors.wake()
    await system.clock.settle()
    assert system.feed.looks == 4
    system.mirrors.wake()
    await system.clock.settle()
    assert system.feed.looks == 4
    await system.clock.advance(0.05)
    assert system.feed.looks == 5
    running.cancel()


async def test_old_changes_are_trimmed_now_and_then(system: System) -> None:
    """Once a minute, not at each look."""
    running = asyncio.create_task(system.mirrors.run())
    await system.clock.settle()
    await system.clock.advance(125)
    running.cancel()
    assert system.feed.trims == 2
