"""The decision ledger in SQL."""

from dataclasses import replace

from controlplane.alerts.decision import Decision, Kind
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.storage.database import Database
from controlplane.storage.ledger import SqlLedger
from controlplane.storage.options import RetentionOptions
from controlplane.storage.retention import trim
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000
ONE, TWO = "1" * 16, "2" * 16


def decision(
    kind: Kind, place: str = "", *, of: str = ONE, at: int = NOW, **detail: object
) -> Decision:
    return Decision(of, at, kind, place, detail, "c-1")


def alert(name: str, *, ends_at: int = NOW + 5, updated_at: int = NOW + 1) -> Alert:
    labels = Labels({"alertname": name, "é\n": '"\\'})
    return Alert(labels, NOW, ends_at, updated_at, Labels({"summary": "☃"}), "http://x/?a=b", "c")


async def test_a_story_comes_back_in_its_order(database: Database) -> None:
    """Every field survives, of one alert only; a limit leaves out the oldest."""
    ledger = SqlLedger(database)
    told = [
        decision(Kind.RECEIVED),
        decision(Kind.GROUPED, "oncall", group_key='{}:{a="é"}'),
        decision(Kind.SILENCED, "oncall/slack/0", by=["s-1", "s-2"]),
    ]
    await ledger.add([*told, decision(Kind.RECEIVED, of=TWO)], [])
    with recording() as recorded:
        assert await ledger.story(ONE, 10) == told
    assert await full_scans(database, recorded) == []
    assert await ledger.story(ONE, 2) == told[1:]
    assert await ledger.story("3" * 16, 2) == []


async def test_the_latest_of_each_aspect_and_place_is_found(database: Database) -> None:
    """For any number of alerts at once, by an index."""
    ledger = SqlLedger(database)
    last = [
        decision(Kind.RESOLVED),
        decision(Kind.DEDUPLICATED, "oncall/slack/0"),
        decision(Kind.MUTED, "oncall/pagerduty/0", by=["night"]),
    ]
    await ledger.add([decision(Kind.RECEIVED), decision(Kind.SILENCED, "oncall/slack/0")], [])
    await ledger.add(last, [])
    many = [decision(Kind.RECEIVED, of=f"{number:016x}") for number in range(1_200)]
    await ledger.add(many, [])
    with recording() as recorded:
        assert await ledger.latest([ONE]) == last
    assert await full_scans(database, recorded) == []
    assert len(await ledger.latest([d.fingerprint for d in many])) == 1_200


async def test_alerts_are_kept_as_they_were_last_heard_of(database: Database) -> None:
    """One row each; only those that have ended are listed, page by page."""
    ledger = SqlLedger(database)
    ended = [alert(str(number), ends_at=NOW + 1) for number in range(3)]
    await ledger.add([], [alert("0"), alert("firing")])
    await ledger.add([], ended)
    ended.sort(key=lambda a: a.fingerprint)
    assert await ledger.alert(ended[0].fingerprint) == ended[0]
    first = await ledger.resolved(after="", limit=2)
    assert first == ended[:2]
    assert await ledger.resolved(after=first[-1].fingerprint, limit=2) == ended[2:]
    firing = await ledger.alert(alert("firing").fingerprint)
    assert firing == replace(alert("firing"), ends_at=NOW + 1)
    assert await ledger.alert(ONE) is None


async def test_the_alerts_that_ended_last_come_first(database: Database) -> None:
    """By the end, not by the name; those that fire are not among them; found by an index."""
    ledger = SqlLedger(database)
    ended = [alert(name, ends_at=NOW - age) for age, name in enumerate("cab")]
    await ledger.add([], [*ended, alert("firing")])
    with recording() as recorded:
        assert await ledger.recent(2) == ended[:2]
    assert await full_scans(database, recorded) == []


async def test_what_is_old_goes_but_alerts_that_fire_stay(database: Database) -> None:
    """By `storage.retention.ledger`."""
    ledger = SqlLedger(database)
    old, new = decision(Kind.RECEIVED, at=NOW - 11), decision(Kind.GROUPED, "x")
    await ledger.add([old, new], [alert("firing", updated_at=NOW - 11)])
    await ledger.add([], [alert("ended", ends_at=NOW - 11), alert("later", ends_at=NOW - 9)])
    deleted = await trim(database, RetentionOptions(ledger=10), NOW)
    assert (deleted["decisions.ledger"], deleted["alert_history.ledger"]) == (1, 1)
    assert await ledger.story(ONE, 10) == [new]
    assert await ledger.resolved(after="", limit=9) == [alert("later", ends_at=NOW - 9)]
    assert await ledger.alert(alert("firing").fingerprint) is not None
