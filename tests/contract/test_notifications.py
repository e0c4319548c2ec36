"""The notification log, the outbox and the incidents in SQL."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from controlplane.clock import Duration, Timestamp
from controlplane.errors import Conflict
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.message import (
    Attempt,
    Content,
    FailureReason,
    Message,
    MessageState,
    Outcome,
    Seat,
)
from controlplane.notify.outbox import enqueue, resolve
from controlplane.notify.ports import NotificationTransaction
from controlplane.storage.database import Database
from controlplane.storage.notifications import SqlNotifications
from controlplane.storage.options import RetentionOptions
from controlplane.storage.retention import trim
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000
GROUP = Labels({"job": "a"})
KEY = '{}:{job="a"}'
ALERT = Alert(Labels({"alertname": "A", "job": "a"}), NOW, NOW + 9, NOW, correlation_id="c")
CHANNEL = ("ops", "slack/0")


@dataclass(frozen=True)
class Flush:
    """A group that is due, as the store looks at it."""

    receiver: str = "ops"
    group_key: str = KEY
    group_labels: Labels = GROUP
    repeat_interval: Duration = 0
    alerts: tuple[Alert, ...] = ()
    at: Timestamp = NOW
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    route_labels: Labels = GROUP
    fence: Fence = OPEN


def incident(name: str = "i1", **changes: Any) -> Incident:
    plain = Incident(name, "ops", "slack/0", KEY, GROUP, KEY, NOW)
    return replace(plain, **changes)


def message(incident_id: str = "i1", **changes: Any) -> Message:
    plain = Message(
        id=0,
        incident_id=incident_id,
        receiver="ops",
        integration="slack/0",
        told=Told(frozenset({ALERT.fingerprint})),
        content=Content(KEY, GROUP, Reason.FIRST, (ALERT,), NOW),
        created_at=NOW,
        next_attempt_at=NOW,
        expires_at=NOW + 100,
        correlation_id="c",
    )
    return replace(plain, **changes)


async def claimable(
    tx: NotificationTransaction, channel: tuple[str, str], now: Timestamp, limit: int
) -> list[Message]:
    return [message for message, _ in await tx.claimable(channel, now, limit)]


async def add(
    store: SqlNotifications, *messages: Message, of: Incident | None = None
) -> list[Message]:
    """Store an incident with messages; return them with their ids."""
    async with store.begin() as tx:
        await tx.put_incident(of or incident())
        return [replace(m, id=await tx.add_message(m)) for m in messages]


async def test_incidents_come_back_as_they_were(database: Database) -> None:
    """Every field survives, and putting one again replaces its row."""
    store = SqlNotifications(database)
    full = incident(
        delivered=Told(frozenset("ab"), frozenset("c")),
        delivered_at=NOW,
        queued=Told(),
        queued_id=7,
        queued_at=NOW + 1,
        exposed=True,
        external={"ts": "1.2"},
        failures=3,
        retry_at=NOW + 2,
    )
    async with store.begin() as tx:
        await tx.put_incident(incident())
        await tx.put_incident(full)
        assert await tx.incident("i1") == full
        assert await tx.incident("i2") is None
    assert await store.open_incidents() == [full]


async def test_a_group_has_one_open_incident_at_an_integration(database: Database) -> None:
    """The schema refuses a second one; a closed one stands in nobody's way."""
    store = SqlNotifications(database)
    async with store.begin() as tx:
        await tx.put_incident(incident("i1", closed_at=NOW))
        await tx.put_incident(incident("i2"))
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.put_incident(incident("i3"))
    assert [i.id for i in await store.open_incidents()] == ["i2"]


async def test_incidents_are_found_by_key_and_by_labels(database: Database) -> None:
    """Open ones of the receiver only: the group's own, and those it might take over."""
    store = SqlNotifications(database)
    other = Labels({"job": "b"})
    async with store.begin() as tx:
        await tx.put_incident(incident("own"))
        await tx.put_incident(incident("same labels", group_key="{}/x"))
        await tx.put_incident(incident("other", group_key="{}/y", group_labels=other))
        await tx.put_incident(incident("elsewhere", receiver="b"))
        await tx.put_incident(incident("closed", group_key="{}/z", closed_at=NOW))
    with recording() as recorded:
        async with store.begin() as tx:
            found = await tx.incidents_for([Flush()])
    assert {i.id for i in found} == {"own", "same labels"}
    assert await full_scans(database, recorded) == []


async def test_messages_come_back_as_they_were(database: Database) -> None:
    """Content and all; ids count upwards."""
    store = SqlNotifications(database)
    first, second = await add(store, message(), message(failure="☃", owner="me"))
    assert first.id < second.id
    async with store.begin() as tx:
        assert await tx.message(first.id) == first
        assert await tx.unfinished("i1") == [first, second]
        assert await tx.last_message("i1") == second
        done = replace(first, state=MessageState.DELIVERED, finished_at=NOW, attempts=2)
        await tx.update_message(done)
        assert await tx.message(first.id) == done
        assert await tx.unfinished("i1") == [second]


async def test_only_the_oldest_unfinished_message_of_an_incident_is_claimable(
    database: Database,
) -> None:
    """Order holds within an incident, also while the older one is being sent or waits."""
    store = SqlNotifications(database)
    first, second = await add(store, message(next_attempt_at=NOW + 5), message())
    async with store.begin() as tx:
        assert await claimable(tx, CHANNEL, NOW, 10) == []
        assert await claimable(tx, CHANNEL, NOW + 5, 10) == [first]
        sending = replace(first, state=MessageState.SENDING, lease_until=NOW + 50, attempts=1)
        assert await tx.claim(first, sending)
        assert await claimable(tx, CHANNEL, NOW + 49, 10) == []
        assert await claimable(tx, CHANNEL, NOW + 50, 10) == [sending]
        await tx.update_message(
            replace(sending, state=MessageState.DEAD, finished_at=NOW, lease_until=0)
        )
        assert await claimable(tx, CHANNEL, NOW, 10) == [second]
        assert await claimable(tx, ("ops", "slack/1"), NOW, 10) == []


async def test_a_claim_is_won_once(database: Database) -> None:
    """Compare-and-set: whoever comes second, also after a lease ran out, gets a no."""
    store = SqlNotifications(database)
    (queued,) = await add(store, message())
    async with store.begin() as tx:
        mine = replace(queued, state=MessageState.SENDING, attempts=1, lease_until=5, owner="a")
        assert await tx.claim(queued, mine)
        assert not await tx.claim(queued, replace(mine, owner="b"))
        theirs = replace(mine, attempts=2, lease_until=9, owner="b")
        assert await tx.claim(mine, theirs)
        assert not await tx.claim(mine, replace(mine, attempts=2))


FIRING = Told(frozenset({ALERT.fingerprint}))
FRESH = Content(KEY, GROUP, Reason.FIRST, (ALERT,), NOW)
SEAT = Seat("me", NOW + 50)


async def test_a_fresh_message_is_claimed_where_it_is_queued(database: Database) -> None:
    """One transaction: it is ours until the lease runs out, then anybody's."""
    store = SqlNotifications(database)
    async with store.begin() as tx:
        await tx.put_incident(incident())
        sent = await enqueue(tx, incident(), FIRING, FRESH, max_age=9, now=NOW, seat=SEAT)
    assert (sent.state, sent.attempts, sent.owner) == (MessageState.SENDING, 1, "me")
    assert not sent.exposed_before
    (kept,) = await store.open_incidents()
    assert (kept.queued_id, kept.exposed) == (sent.id, True)
    assert await store.channels_due(NOW + 49) == []
    assert await store.channels_due(NOW + 50) == [CHANNEL]
    async with store.begin() as tx:
        assert await claimable(tx, CHANNEL, NOW + 50, 9) == [sent]
    assert await store.release("me") == 1
    assert await store.channels_due(NOW) == [CHANNEL]


async def test_what_has_to_wait_is_not_claimed(database: Database) -> None:
    """Neither behind one that is being sent, nor before the time that the receiver asked for."""
    store = SqlNotifications(database)
    async with store.begin() as tx:
        await tx.put_incident(incident())
        first = await enqueue(tx, incident(), FIRING, FRESH, max_age=9, now=NOW, seat=SEAT)
        (current,) = [await tx.incident("i1")]
        assert current is not None
        behind = await resolve(
            tx, current, FRESH, send_resolved=True, max_age=9, now=NOW, seat=SEAT
        )
        assert behind is not None
        assert behind.state is MessageState.QUEUED
        assert await tx.unfinished("i1") == [first, behind]
    (later,) = await add(
        store,
        message("i2", receiver="b", next_attempt_at=NOW + 7),
        of=incident("i2", receiver="b"),
    )
    async with store.begin() as tx:
        held = await enqueue(
            tx, incident("i2", receiver="b"), FIRING, FRESH, max_age=9, now=NOW, seat=SEAT
        )
        assert (held.state, held.next_attempt_at) == (MessageState.QUEUED, later.next_attempt_at)


async def test_a_claim_goes_with_its_transaction(database: Database) -> None:
    """What was not committed is neither queued nor claimed."""
    store = SqlNotifications(database)

    async def cut_off() -> None:
        async with store.begin() as tx:
            await tx.put_incident(incident())
            await enqueue(tx, incident(), FIRING, FRESH, max_age=9, now=NOW, seat=SEAT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await cut_off()
    assert await store.open_incidents() == []
    assert await store.channels_due(NOW + 50) == []


async def test_due_channels_and_the_next_attempt(database: Database) -> None:
    """What the worker asks, answered by indexes."""
    store = SqlNotifications(database)
    assert await store.next_attempt(NOW) is None
    await add(store, message(), message(next_attempt_at=NOW + 7))
    (leased,) = await add(
        store,
        message("i2", receiver="b", state=MessageState.SENDING, lease_until=NOW + 3, owner="me"),
        of=incident("i2", receiver="b"),
    )
    with recording() as recorded:
        assert await store.channels_due(NOW) == [CHANNEL]
        assert await store.next_attempt(NOW) == NOW + 3
        async with store.begin() as tx:
            await tx.claimable(CHANNEL, NOW, 4)
            await tx.unfinished("i1")
            await tx.dead("i1")
            await tx.last_message("i1")
    assert await full_scans(database, recorded) == []
    for other in ("somebody else", "m", "me2/run"):
        assert await store.release(other) == 0
    assert await store.release("me") == 1
    assert set(await store.channels_due(NOW)) == {CHANNEL, ("b", "slack/0")}
    async with store.begin() as tx:
        assert [m.id for m in await claimable(tx, ("b", "slack/0"), NOW, 1)] == [leased.id]


async def test_what_was_sent_about_an_alert(database: Database) -> None:
    """From a fingerprint to its messages, newest first, with their attempts."""
    store = SqlNotifications(database)
    first, second = await add(store, message(), message())
    tries = [
        Attempt(first.id, 1, NOW, 0.25, Outcome.UNKNOWN, 500, FailureReason.SERVER_ERROR, "no"),
        Attempt(first.id, 2, NOW + 1, 0.5, Outcome.DELIVERED, 200),
    ]
    async with store.begin() as tx:
        for attempt in tries:
            await tx.add_attempt(attempt)
    with recording() as recorded:
        assert await store.about(ALERT.fingerprint, 10) == [second, first]
        assert await store.about(ALERT.fingerprint, 1) == [second]
        assert await store.attempts([first.id, second.id]) == tries
    assert await full_scans(database, recorded) == []
    assert await store.about("0" * 16, 10) == []


async def test_dead_letters_are_listed_page_by_page(database: Database) -> None:
    """Newest first, below a given id; the depth counts what is not done with."""
    store = SqlNotifications(database)
    dead: dict[str, Any] = {"state": MessageState.DEAD, "finished_at": NOW}
    letters = await add(store, message(**dead), message(**dead), message(**dead), message())
    assert [m.id for m in await store.list_messages(MessageState.DEAD, before=None, limit=2)] == [
        letters[2].id,
        letters[1].id,
    ]
    page = await store.list_messages(MessageState.DEAD, before=letters[1].id, limit=2)
    assert [m.id for m in page] == [letters[0].id]
    assert dict(await store.depth()) == {
        MessageState.QUEUED: 1,
        MessageState.SENDING: 0,
        MessageState.DEAD: 3,
    }


async def test_a_transaction_that_fails_changes_nothing(database: Database) -> None:
    """The log and the outbox change together or not at all."""
    store = SqlNotifications(database)

    async def fail_half_way() -> None:
        async with store.begin() as tx:
            await tx.put_incident(incident())
            await tx.add_message(message())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    assert await store.open_incidents() == []
    assert await store.channels_due(NOW) == []


async def test_retention_spares_what_is_needed(database: Database) -> None:
    """Delivered messages go first, dead ones later, open incidents and what waits never."""
    store = SqlNotifications(database)
    delivered: dict[str, Any] = {"state": MessageState.DELIVERED, "finished_at": NOW}
    dead: dict[str, Any] = {"state": MessageState.DEAD, "finished_at": NOW}
    old, letter, waiting = await add(store, message(**delivered), message(**dead), message())
    await add(store, message("i2", **delivered), of=incident("i2", closed_at=NOW))
    async with store.begin() as tx:
        await tx.add_attempt(Attempt(old.id, 1, NOW, 0.1, Outcome.DELIVERED))
    options = RetentionOptions(notifications=10, dead_letters=20)
    await trim(database, options, NOW + 11)
    async with store.begin() as tx:
        assert await tx.message(old.id) is None
        assert await tx.message(letter.id) == letter
        assert await tx.incident("i2") is not None
    assert await store.attempts([old.id]) == []
    await trim(database, options, NOW + 21)
    async with store.begin() as tx:
        assert await tx.message(letter.id) is None
        assert await tx.message(waiting.id) == waiting
        assert await tx.incident("i1") is not None
        assert await tx.incident("i2") is None
