"""How messages fared, by the receiver and integration that they were for."""

from dataclasses import replace

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.message import (
    Attempt,
    Content,
    FailureReason,
    Message,
    MessageState,
    Outcome,
)
from controlplane.storage.database import Database
from controlplane.storage.deliveries import SqlDeliveries
from controlplane.storage.notifications import SqlNotifications
from tests.support.plans import full_scans, recording

NOW = 1_700_000_000_000
OPS, DESK = ("ops", "slack/0"), ("desk", "webhook/1")


async def add(
    database: Database,
    channel: tuple[str, str],
    state: MessageState,
    finished_at: Timestamp | None = None,
    *attempts: Attempt,
) -> None:
    """Store a message to a channel with an incident of its own, and its attempts."""
    number = str(len(await SqlNotifications(database).open_incidents()))
    labels = Labels({"n": number})
    incident = Incident(number, *channel, number, labels, number, NOW)
    content = Content(number, labels, Reason.FIRST, (), NOW)
    message = Message(0, number, *channel, Told(), content, NOW, NOW, NOW + 9, state=state)
    async with SqlNotifications(database).begin() as tx:
        await tx.put_incident(incident)
        stored = await tx.add_message(replace(message, finished_at=finished_at))
        for attempt in attempts:
            await tx.add_attempt(replace(attempt, message_id=stored))


async def test_what_waits_and_what_was_given_up_is_counted_by_channel(database: Database) -> None:
    """A channel that has nothing of it is left out."""
    for state in (MessageState.QUEUED, MessageState.QUEUED, MessageState.SENDING):
        await add(database, OPS, state)
    await add(database, OPS, MessageState.DEAD, NOW)
    await add(database, DESK, MessageState.DELIVERED, NOW)
    with recording() as recorded:
        depths = await SqlDeliveries(database).depths()
    assert depths == {
        OPS: {MessageState.QUEUED: 2, MessageState.SENDING: 1, MessageState.DEAD: 1},
    }
    assert await full_scans(database, recorded) == []


async def test_the_last_attempts_come_first(database: Database) -> None:
    """Those of newer messages before those of older ones, and no other channel's."""
    refused = Attempt(0, 1, NOW, 0.5, Outcome.REFUSED, 500, FailureReason.SERVER_ERROR, "no")
    arrived = Attempt(0, 2, NOW + 1, 0.25, Outcome.DELIVERED, 200)
    later = Attempt(0, 1, NOW + 2, 0.25, Outcome.DELIVERED, 204)
    await add(database, OPS, MessageState.DELIVERED, NOW + 1, refused, arrived)
    await add(database, DESK, MessageState.DELIVERED, NOW + 9, later)
    await add(database, OPS, MessageState.DELIVERED, NOW + 2, later)
    deliveries = SqlDeliveries(database)
    with recording() as recorded:
        found = await deliveries.attempts(OPS, 10)
        assert [each.at for each in found] == [NOW + 2, NOW + 1, NOW]
        assert replace(found[2], message_id=0) == refused
        assert [each.at for each in await deliveries.attempts(OPS, 1)] == [NOW + 2]
        assert await deliveries.last_delivered(OPS) == NOW + 2
    assert await full_scans(database, recorded) == []


async def test_what_never_arrived_has_no_time(database: Database) -> None:
    """A channel with nothing but failures, or nothing at all, was never told anything."""
    await add(database, OPS, MessageState.DEAD, NOW)
    assert await SqlDeliveries(database).last_delivered(OPS) is None
    assert await SqlDeliveries(database).attempts(DESK, 10) == []
