"""The decision ledger: changes are kept, repeats are not, and nobody waits for it."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry

from controlplane.alerts.decision import Decision, Kind
from controlplane.alerts.ledger import Ledger, LedgerOptions
from controlplane.alerts.metrics import LedgerMetrics
from controlplane.errors import Unavailable
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
ALERT = Alert(Labels({"alertname": "Down"}), NOW, NOW + 60_000, NOW, correlation_id="c-1")
SLACK = "oncall/slack/0"


class Rows:
    """A LedgerRepository in memory; `away` makes it fail."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.alerts: dict[str, Alert] = {}
        self.away = False

    async def add(self, decisions: Sequence[Decision], alerts: Sequence[Alert]) -> None:
        if self.away:
            raise Unavailable("away")
        self.decisions += decisions
        self.alerts |= {alert.fingerprint: alert for alert in alerts}

    async def latest(self, fingerprints: Collection[str]) -> Sequence[Decision]:
        newest = {(d.fingerprint, d.aspect, d.place): d for d in self.decisions}
        return [d for d in newest.values() if d.fingerprint in fingerprints]

    async def story(self, fingerprint: str, limit: int) -> Sequence[Decision]:
        return [d for d in self.decisions if d.fingerprint == fingerprint][-limit:]

    async def alert(self, fingerprint: str) -> Alert | None:
        return self.alerts.get(fingerprint)

    async def resolved(self, *, after: str, limit: int) -> Sequence[Alert]:
        return [a for name, a in sorted(self.alerts.items()) if name > after][:limit]

    async def recent(self, limit: int) -> Sequence[Alert]:
        return sorted(self.alerts.values(), key=lambda a: -a.ends_at)[:limit]

    def kinds(self) -> list[Kind]:
        return [decision.kind for decision in self.decisions]


class World:
    def __init__(self, options: LedgerOptions | None = None) -> None:
        self.rows, self.clock, self.registry = Rows(), ManualClock(NOW), CollectorRegistry()
        self.ledger = Ledger(self.rows, self.clock, LedgerMetrics(self.registry), options)

    def value(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


def about(kind: Kind, place: str = "", at: int = NOW, **detail: object) -> Decision:
    return Decision(ALERT.fingerprint, at, kind, place, detail)


async def test_only_changes_are_kept() -> None:
    """A flush that decides as the last one did adds nothing; each place counts alone."""
    world = World()
    world.ledger.heard([ALERT], NOW)
    world.ledger.heard([replace(ALERT, updated_at=NOW + 1)], NOW + 1)
    for at in (NOW, NOW + 1):
        world.ledger.record(
            [about(Kind.SILENCED, SLACK, at, by=["s-1"]), about(Kind.DEDUPLICATED, "x", at)]
        )
    world.ledger.record([about(Kind.SILENCED, SLACK, by=["s-2"]), about(Kind.GROUPED, "oncall")])
    await world.ledger.flush()
    assert world.rows.kinds() == [
        Kind.RECEIVED,
        Kind.SILENCED,
        Kind.DEDUPLICATED,
        Kind.SILENCED,
        Kind.GROUPED,
    ]
    assert world.rows.decisions[0].correlation_id == "c-1"


async def test_a_message_ends_a_silence_without_an_entry_of_its_own() -> None:
    """The outbox keeps it; but after it, the same silence is news again."""
    world = World()
    silenced = about(Kind.SILENCED, SLACK, by=["s-1"])
    world.ledger.record([silenced, about(Kind.QUEUED, SLACK, message=7), silenced])
    await world.ledger.flush()
    assert world.rows.kinds() == [Kind.SILENCED, Kind.SILENCED]


async def test_messages_of_a_busy_group_add_nothing_to_the_others() -> None:
    """That nothing is new for an alert is told once, not after each message to its group."""
    world = World()
    for later in range(3):
        world.ledger.record(
            [
                about(Kind.QUEUED, SLACK, message=later),
                about(Kind.DEDUPLICATED, SLACK, reason="told already", repeat_at=NOW + later),
            ]
        )
    silenced = about(Kind.SILENCED, SLACK, by=["s-1"])
    world.ledger.record([about(Kind.QUEUED, SLACK, message=9), silenced])
    world.ledger.record([about(Kind.DEDUPLICATED, SLACK, reason="told already", repeat_at=NOW)])
    await world.ledger.flush()
    assert world.rows.kinds() == [Kind.DEDUPLICATED, Kind.SILENCED, Kind.DEDUPLICATED]


async def test_an_alert_that_comes_again_has_a_new_story() -> None:
    """What was decided before its end does not hide what is decided after."""
    world = World()
    grouped = about(Kind.GROUPED, "oncall", group_key="g")
    for alert in (ALERT, replace(ALERT, ends_at=NOW + 5), replace(ALERT, starts_at=NOW + 9)):
        world.ledger.heard([alert], NOW + 9)
        world.ledger.record([grouped])
    await world.ledger.flush()
    assert world.rows.kinds() == [
        Kind.RECEIVED,
        Kind.GROUPED,
        Kind.RESOLVED,
        Kind.RECEIVED,
        Kind.GROUPED,
    ]
    assert world.rows.decisions[2].at == NOW + 5
    assert world.rows.alerts[ALERT.fingerprint].starts_at == NOW + 9


async def test_a_restart_repeats_nothing() -> None:
    """The last decisions on the alerts that are kept are known again."""
    world = World()
    world.ledger.heard([ALERT], NOW)
    world.ledger.record([about(Kind.GROUPED, "oncall")])
    await world.ledger.flush()
    next_life = Ledger(world.rows, world.clock, LedgerMetrics(CollectorRegistry()))
    await next_life.load([ALERT])
    next_life.heard([ALERT], NOW + 60)
    next_life.record([about(Kind.GROUPED, "oncall", NOW + 60)])
    assert await next_life.flush() == 0


async def test_nothing_is_lost_while_the_database_is_away() -> None:
    """What waits is written when it is back, in its order."""
    world = World()
    world.rows.away = True
    loop = asyncio.ensure_future(world.ledger.run())
    world.ledger.heard([ALERT], NOW)
    await world.clock.advance(5)
    world.ledger.record([about(Kind.GROUPED, "oncall")])
    assert world.value("controlplane_ledger_waiting") == 2
    world.rows.away = False
    await world.clock.advance(5)
    loop.cancel()
    assert world.rows.kinds() == [Kind.RECEIVED, Kind.GROUPED]
    assert world.value("controlplane_ledger_waiting") == 0


async def test_a_full_ledger_loses_and_counts() -> None:
    """Its memory is bounded, and nobody waits for it."""
    world = World(LedgerOptions(waiting=2, remembered=1))
    world.ledger.record([about(Kind.GROUPED, str(place)) for place in range(3)])
    world.ledger.record([replace(about(Kind.GROUPED, "0"), fingerprint="f" * 16)])
    assert world.value("controlplane_ledger_lost_total") == 2
    await world.ledger.drain()
    assert len(world.rows.decisions) == 2
    assert world.value("controlplane_ledger_decisions_total") == 2
    # The first alert was forgotten for the second: what it decides is news again.
    world.ledger.record([about(Kind.GROUPED, "0")])
    assert await world.ledger.flush() == 1


async def test_a_drain_without_a_database_ends() -> None:
    """It says what it could not keep."""
    world = World()
    world.rows.away = True
    world.ledger.heard([ALERT], NOW)
    await world.ledger.drain()
    assert world.rows.decisions == []


async def test_a_story_holds_also_what_is_not_written_yet() -> None:
    """Who asks right after a decision is told of it, once, and of the alert itself."""
    world = World()
    world.ledger.heard([ALERT], NOW)
    assert await world.ledger.alert(ALERT.fingerprint) == ALERT
    await world.ledger.flush()
    world.ledger.decide(Kind.GROUPED, [ALERT], NOW + 1, place="oncall", detail={"group_key": "g"})
    for _ in range(2):
        story = await world.ledger.story(ALERT.fingerprint, 10)
        assert [decision.kind for decision in story] == [Kind.RECEIVED, Kind.GROUPED]
        assert [each.kind for each in await world.ledger.story(ALERT.fingerprint, 1)] == [
            Kind.GROUPED
        ]
        await world.ledger.flush()
    assert await world.ledger.alert(ALERT.fingerprint) == ALERT
    assert await world.ledger.resolved(after="", limit=1) == [ALERT]
    assert await world.ledger.recent(1) == [ALERT]


async def test_an_alert_of_which_nobody_spoke_again_ends_by_itself() -> None:
    """The entry says that its end was assumed."""
    world = World()
    silent = replace(ALERT, timeout=True)
    world.ledger.heard([silent], NOW)
    world.ledger.heard([replace(silent, updated_at=silent.ends_at)], silent.ends_at)
    await world.ledger.flush()
    assert [decision.detail.get("timeout") for decision in world.rows.decisions] == [None, True]
