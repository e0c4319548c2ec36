"""Active alerts: accepted when durable, merged, bounded, collected."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controlplane.alerts.merge import merged, received
from controlplane.alerts.metrics import AlertMetrics
from controlplane.alerts.options import AlertOptions
from controlplane.alerts.ports import Decide
from controlplane.alerts.provider import Alerts
from controlplane.clock import Timestamp
from controlplane.errors import Fenced, InvalidInput, Overloaded, Unavailable
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN, Fence, Token
from controlplane.model.labels import Labels
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000


class Repository:
    """Rows in a dictionary; it can refuse, and be slow."""

    def __init__(self) -> None:
        self.rows: dict[str, Alert] = {}
        self.saves = 0
        self.broken = False
        self.gate: asyncio.Event | None = None
        # Others write as well: what they wrote counts. Shares that have moved on.
        self.shared = False
        self.moved: frozenset[Token] = frozenset()

    async def load(self) -> Sequence[Alert]:
        return list(self.rows.values())

    async def find(self, fingerprints: Collection[str]) -> Sequence[Alert]:
        return [alert for name, alert in self.rows.items() if name in fingerprints]

    async def change(
        self, fingerprints: Collection[str], decide: Decide, fence: Fence = OPEN
    ) -> Sequence[Alert]:
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise Unavailable("no database")
        if fence.tokens & self.moved:
            raise Fenced("it is another replica's")
        self.saves += 1
        changed = decide(self.rows if self.shared else None)
        assert {alert.fingerprint for alert in changed} <= set(fingerprints)
        self.rows.update((alert.fingerprint, alert) for alert in changed)
        return changed

    async def delete(self, fingerprints: Collection[str], *, ended_by: Timestamp) -> None:
        for fingerprint in fingerprints:
            if self.rows[fingerprint].ends_at <= ended_by:
                del self.rows[fingerprint]


class System:
    """The provider with its surroundings."""

    def __init__(self, repository: Repository | None = None, **options: int) -> None:
        self.clock = ManualClock(NOW)
        self.repository = repository or Repository()
        self.registry = CollectorRegistry()
        self.alerts = Alerts(
            self.repository, self.clock, AlertMetrics(self.registry), AlertOptions(**options)
        )
        self.published: list[Alert] = []
        self.alerts.subscribe(self._take)

    def _take(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        self.published += alerts


def alert(start: int = 0, end: int = 10_000, updated: int | None = None, **labels: str) -> Alert:
    named = Labels({"alertname": "A", **labels})
    return Alert(named, NOW + start, NOW + end, NOW + (start if updated is None else updated))


async def test_an_accepted_alert_is_durable_and_published() -> None:
    """When `put` returns, the row is there and the subscribers have it."""
    system = System()
    await system.alerts.put([alert()])
    assert list(system.repository.rows.values()) == system.published == [alert()]
    assert system.alerts.get(alert().fingerprint) == alert()
    assert system.registry.get_sample_value("controlplane_alerts", {"state": "active"}) == 1


async def test_an_alert_that_cannot_be_stored_is_not_accepted() -> None:
    """The error reaches the caller, and nobody is told of the alert."""
    system = System()
    system.repository.broken = True
    with pytest.raises(Unavailable):
        await system.alerts.put([alert()])
    assert system.published == system.alerts.list() == []


async def test_calls_that_wait_are_written_together() -> None:
    """While one write runs, the next ones gather; two transactions serve all."""
    system = System()
    system.repository.gate = asyncio.Event()
    puts = [asyncio.create_task(system.alerts.put([alert(n=str(n))])) for n in range(20)]
    await system.clock.settle()
    system.repository.gate.set()
    await asyncio.gather(*puts)
    assert (system.repository.saves, len(system.alerts.list())) == (2, 20)


async def test_a_cancelled_write_is_not_taken_for_done() -> None:
    """Who waited for it gets an error, not a false yes."""
    system = System()
    system.repository.gate = asyncio.Event()
    first = asyncio.create_task(system.alerts.put([alert(n="0")]))
    await system.clock.settle()
    writer = asyncio.create_task(system.alerts.put([alert(n="1")]))
    waiter = asyncio.create_task(system.alerts.put([alert(n="2")]))
    await system.clock.settle()
    first.cancel()
    await system.clock.settle()
    writer.cancel()
    with pytest.raises(Unavailable, match="interrupted"):
        await waiter


async def test_too_many_alerts_are_refused_and_known_ones_go_on() -> None:
    """The bound counts label sets; an update of a known one always passes."""
    system = System(limit=2)
    await system.alerts.put([alert(n="1"), alert(n="2")])
    with pytest.raises(Overloaded):
        await system.alerts.put([alert(n="3")])
    await system.alerts.put([alert(n="1", updated=5)])
    assert len(system.alerts.list()) == 2


async def test_of_too_many_alerts_the_known_ones_are_taken() -> None:
    """An end that comes in one call with a new alert is not lost."""
    system = System(limit=1)
    await system.alerts.put([alert(n="1")])
    with pytest.raises(Overloaded):
        await system.alerts.put([alert(n="2"), alert(n="1", end=0, updated=5)])
    (kept,) = system.alerts.list()
    assert (kept.labels.value("n"), kept.ends_at) == ("1", NOW)


async def test_alerts_outlive_a_restart_and_get_time_to_be_spoken_of() -> None:
    """One that ran out while nobody ran is not resolved; one that was ended stays ended."""
    system = System()
    await system.alerts.put([alert(n="1"), alert(n="2", end=5, updated=5)])
    again = System(system.repository)
    again.clock.set(NOW + 3_600_000)
    await again.alerts.load()
    again.alerts.announce()
    assert [a.labels.value("n") for a in again.alerts.list(AlertStatus.FIRING)] == ["1"]
    assert len(again.published) == 2
    again.clock.set(NOW + 3_600_000 + 300_000)
    assert again.alerts.list(AlertStatus.FIRING) == []


async def test_an_alert_that_ran_out_while_we_ran_stays_resolved_over_a_restart() -> None:
    """The collection writes down that it ended, so that it does not fire anew."""
    system = System()
    await system.alerts.put([alert(end=10_000)])
    await system.alerts.gc(NOW + 10_000)
    again = System(system.repository)
    again.clock.set(NOW + 20_000)
    await again.alerts.load()
    again.alerts.announce()
    assert again.alerts.list(AlertStatus.FIRING) == []


async def test_ended_alerts_are_forgotten_after_a_while() -> None:
    """They stay listed for `resolved_kept`, then their rows go too."""
    system = System(resolved_kept=1_000)
    await system.alerts.put([alert(end=10), alert(end=10_000, n="1")])
    assert await system.alerts.gc(NOW + 1_009) == 0
    assert await system.alerts.gc(NOW + 1_010) == 1
    assert [a.labels.value("n") for a in system.repository.rows.values()] == ["1"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (alert(0, 100), alert(50, 200), (0, 200)),  # overlapping: one alert
        (alert(0, 100), alert(150, 200), (150, 200)),  # apart: a new one
        (alert(0, 100), alert(50, 80, updated=60), (0, 100)),  # a named later end outlasts
        (alert(0, 300), alert(50, 40 + 10, updated=60), (0, 50)),  # ended: now
        (alert(0, 100, updated=55), alert(10, 60, updated=20), (0, 100)),  # out of order
    ],
)
def test_merging(old: Alert, new: Alert, expected: tuple[int, int]) -> None:
    """As Alertmanager merges: the earliest start, the end by who spoke last."""
    found = merged(old, new, NOW + 60)
    assert (found.starts_at - NOW, found.ends_at - NOW) == expected


def test_an_assumed_end_never_outlasts_a_named_one() -> None:
    """A time-out gives way to the end of the younger alert."""
    old = replace(alert(0, 500), timeout=True)
    found = merged(old, alert(10, 100, updated=20), NOW + 30)
    assert (found.ends_at - NOW, found.timeout) == (100, False)


def test_what_clients_leave_out_is_filled_in() -> None:
    """Without an end the resolve time-out, without a start now or the past end."""
    labels = Labels({"alertname": "A"})
    plain = received(labels, now=NOW, resolve_timeout=300_000)
    assert (plain.starts_at, plain.ends_at, plain.timeout) == (NOW, NOW + 300_000, True)
    ended = received(labels, now=NOW, resolve_timeout=1, ends_at=NOW - 5)
    assert (ended.starts_at, ended.ends_at, ended.timeout) == (NOW - 5, NOW - 5, False)
    with pytest.raises(InvalidInput, match="must be before end time"):
        received(labels, now=NOW, resolve_timeout=1, starts_at=NOW, ends_at=NOW - 5)
    with pytest.raises(InvalidInput, match="at least one label"):
        received(Labels(), now=NOW, resolve_timeout=1)


def test_who_spoke_last_counts_also_after_the_clock_was_set_back() -> None:
    """What was said "later than now" was said before: a resolve is not held back by it."""
    old = alert(0, 240_000, updated=60_000)
    new = alert(0, 30_000, updated=30_000)
    found = merged(old, new, NOW + 30_000)
    assert found.status(NOW + 30_000) is AlertStatus.RESOLVED


class Parts:
    """A subscriber that counts, and a gathering around what belongs together."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.open = 0
        self.gathered: list[int] = []

    def take(self, alerts: Sequence[Alert], _now: Timestamp) -> None:
        assert self.open == 1
        self.sizes.append(len(alerts))

    @contextmanager
    def gathering(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self.gathered.append(sum(self.sizes))


async def test_many_changes_come_in_parts_between_which_others_have_their_turn() -> None:
    """In their order, to one subscriber after the other; what belongs together is gathered."""
    system, parts = System(), Parts()
    system.alerts.subscribe(parts.take, parts.gathering)
    many = [alert(n=f"{n:04}") for n in range(1000)]
    turns = 0

    async def others() -> None:
        nonlocal turns
        while not parts.gathered:
            turns += 1
            await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop

    await asyncio.gather(system.alerts.put(many), others())
    assert system.published == many
    assert (len(parts.sizes), parts.gathered) == (4, [1000])
    assert turns >= 8


async def test_whoever_goes_away_takes_no_news_from_anybody() -> None:
    """A caller that is cancelled between two parts leaves nobody without the rest."""
    system, parts = System(), Parts()
    begun = asyncio.Event()
    system.alerts.subscribe(lambda _alerts, _now: begun.set())
    system.alerts.subscribe(parts.take, parts.gathering)
    put = asyncio.create_task(system.alerts.put([alert(n=str(n)) for n in range(1000)]))
    await begun.wait()
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert (len(system.published), parts.gathered) == (1000, [1000])


async def test_calls_that_may_not_write_fail_alone() -> None:
    """Of calls written together, the one whose share has moved fails; the others are kept."""
    system = System()
    gone, mine = (Fence(frozenset({Token("evaluator", shard, 1)})) for shard in (1, 2))
    system.repository.moved = gone.tokens
    system.repository.gate = asyncio.Event()
    told = [
        (alert(alertname="a"), OPEN),
        (alert(alertname="b"), gone),
        (alert(alertname="c"), mine),
    ]
    calls = [asyncio.create_task(system.alerts.put([each], fence)) for each, fence in told]
    await system.clock.settle()
    system.repository.gate.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done] == [type(None), Fenced, type(None)]
    assert sorted(each.name for each in system.published) == ["a", "c"]


async def test_only_what_is_new_is_taken_up() -> None:
    """Reading again what this replica wrote tells nobody anything."""
    system = System()
    await system.alerts.put([alert(alertname="a")])
    system.published.clear()
    await system.alerts.refresh()
    await system.alerts.refresh([alert(alertname="a").fingerprint, "0" * 16])
    assert system.published == []
    system.repository.rows[alert(alertname="b").fingerprint] = alert(alertname="b")
    await system.alerts.refresh([alert(alertname="b").fingerprint])
    assert [each.name for each in system.published] == ["b"]
