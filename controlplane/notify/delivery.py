"""One message's way out: claimed, attempted, and what came of it written down.

Every function here is one transaction; together with `incident` they are the
life of a message:

    queued --claim--> sending --arrived--> delivered
                      sending --temporary--> queued, later
                      sending --permanent, or too old--> dead
    queued or refused, something newer waits --> superseded
    dead --redrive--> queued

A message that may leave at once is not queued first: the transaction that
writes it claims it (`outbox.enqueue`).
"""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.clock import Duration, Timestamp
from controlplane.errors import Conflict, NotFound
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import (
    Incident,
    never_reached,
    on_claimed,
    on_closed,
    on_dead,
    on_delivered,
    on_queued,
    on_refused,
)
from controlplane.notify.message import (
    Attempt,
    Claim,
    Delivery,
    Message,
    MessageState,
    Notification,
    Outcome,
    Seat,
)
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.ports import NotificationStore, NotificationTransaction


async def claim(
    store: NotificationStore,
    channel: tuple[str, str],
    *,
    seat: Seat,
    limit: int,
    now: Timestamp,
) -> Sequence[Claim]:
    """Take up to `limit` messages that are due, each by compare-and-set."""
    claims: list[Claim] = []
    async with store.begin() as tx:
        for message, incident in await tx.claimable(channel, now, limit):
            begun = message.begun(seat, exposed=incident.exposed)
            if await tx.claim(message, begun):
                exposed = on_claimed(incident, message.told)
                if exposed != incident:
                    await tx.put_incident(exposed)
                claims.append(claimed(begun, incident))
    return claims


def claimed(message: Message, incident: Incident) -> Claim:
    """Return a message that has begun, with what its integration is given to send."""
    notification = Notification(
        receiver=message.receiver,
        integration=message.integration,
        key=incident.key,
        content=message.content,
        delivered=incident.delivered,
        external=incident.external,
        correlation_id=message.correlation_id,
        incident_id=incident.id,
    )
    return Claim(message, notification)


async def succeed(
    store: NotificationStore, claimed: Message, delivery: Delivery, attempt: Attempt, now: Timestamp
) -> bool:
    """Write down that a message arrived; tell whether it was still ours."""
    async with store.begin() as tx:
        incident = await tx.incident(claimed.incident_id)
        arrived = replace(claimed, state=MessageState.DELIVERED, finished_at=now, failure="")
        if incident is None or not await tx.claim(claimed, arrived):
            return False
        await tx.add_attempt(attempt)
        # Most were never given up, and need not be looked for.
        for dead in await tx.dead(incident.id) if incident.failures else ():
            if dead.id < claimed.id:  # what it had to tell has been told by now
                await tx.update_message(replace(dead, state=MessageState.SUPERSEDED))
        if incident.closed_at is None:
            await tx.put_incident(
                on_delivered(incident, claimed.id, claimed.told, delivery.external, now)
            )
        return True


async def fail(
    store: NotificationStore,
    claimed: Message,
    error: DeliveryError,
    attempt: Attempt,
    *,
    retry_in: Duration,
    options: DeliveryOptions,
    now: Timestamp,
) -> MessageState:
    """Write down a failed attempt; return what became of the message."""
    async with store.begin() as tx:
        incident = await tx.incident(claimed.incident_id)
        if incident is None:
            return claimed.state
        newer = [m for m in await tx.unfinished(incident.id) if m.id > claimed.id]
        overtaken = bool(newer) or incident.closed_at is not None
        state = _after_failure(claimed, error, options, now, superseded=overtaken)
        failed = replace(
            claimed,
            state=state,
            next_attempt_at=now + retry_in,
            finished_at=now if state.finished else None,
            failure=error.detail,
            lease_until=0,
        )
        if not await tx.claim(claimed, failed):
            return claimed.state
        await tx.add_attempt(attempt)
        if error.outcome is Outcome.REFUSED:
            incident = on_refused(incident, claimed.told, exposed_before=claimed.exposed_before)
        if state is MessageState.DEAD:
            incident = on_dead(incident, claimed.id, now, _backoff_of_dead(incident))
        await _settle(tx, incident, newer, now)
        return state


async def redrive(
    store: NotificationStore, message_id: int, *, max_age: Duration, now: Timestamp
) -> Message:
    """Queue a dead message anew. Raises NotFound, Conflict when it is out of date."""
    async with store.begin() as tx:
        found = await tx.message(message_id)
        incident = None if found is None else await tx.incident(found.incident_id)
        if found is None or incident is None:
            raise NotFound(f"no message {message_id}")
        if found.state is not MessageState.DEAD:
            raise Conflict(f"message {message_id} is {found.state.value}, not dead")
        last = await tx.last_message(incident.id)
        overtaken = last is None or last.id != found.id
        if overtaken or incident.closed_at is not None or incident.queued_id is not None:
            raise Conflict(f"message {message_id} has been overtaken by what happened since")
        message = replace(
            found,
            state=MessageState.QUEUED,
            next_attempt_at=now,
            expires_at=now + max_age,
            finished_at=None,
        )
        await tx.update_message(message)
        await tx.put_incident(on_queued(incident, message.id, message.told, now))
        return message


def _after_failure(
    message: Message,
    error: DeliveryError,
    options: DeliveryOptions,
    now: Timestamp,
    *,
    superseded: bool,
) -> MessageState:
    if superseded:
        return MessageState.SUPERSEDED
    spent = bool(options.max_attempts) and message.attempts >= options.max_attempts
    if error.temporary and not spent and now < message.expires_at:
        return MessageState.QUEUED
    return MessageState.DEAD


async def _settle(
    tx: NotificationTransaction, incident: Incident, newer: Sequence[Message], now: Timestamp
) -> None:
    """Store the incident; a resolve behind a trigger that never arrived goes with it."""
    useless = [m for m in newer if not m.told.firing] if never_reached(incident) else []
    for message in useless:
        await tx.update_message(replace(message, state=MessageState.SUPERSEDED, finished_at=now))
    await tx.put_incident(on_closed(incident, now) if useless else incident)


def _backoff_of_dead(incident: Incident) -> Duration:
    """Return how long an incident without a group waits before it tries again: 5 min to 1 day."""
    return int(min(300_000 * 2 ** min(incident.failures, 20), 86_400_000))
