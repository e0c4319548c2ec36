"""Putting messages into the outbox: what they replace, and when none is needed."""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.clock import Duration, Timestamp
from controlplane.notify.incident import (
    Incident,
    Told,
    never_reached,
    on_claimed,
    on_closed,
    on_queued,
)
from controlplane.notify.message import Content, Message, MessageState, Seat
from controlplane.notify.ports import NotificationTransaction


async def enqueue(
    tx: NotificationTransaction,
    incident: Incident,
    told: Told,
    content: Content,
    *,
    max_age: Duration,
    now: Timestamp,
    seat: Seat | None = None,
    first: bool = False,
) -> Message:
    """Queue a message; those of the incident that were not begun give way to it.

    It keeps the place of the one it replaces in the waiting that the receiver
    has caused. With a seat it is claimed right away, and comes back as
    `sending`, unless it has to wait for an older one or for its receiver.
    `incident` must be stored already; the `first` message of one follows none.
    """
    unfinished = () if first else await tx.unfinished(incident.id)
    waiting = await _supersede(tx, unfinished, now)
    message = Message(
        id=0,
        incident_id=incident.id,
        receiver=incident.receiver,
        integration=incident.integration,
        told=told,
        content=content,
        created_at=now,
        next_attempt_at=max([now, *(old.next_attempt_at for old in waiting)]),
        expires_at=now + max_age,
        correlation_id=content.correlation_id(),
    )
    ready = len(waiting) == len(unfinished) and message.next_attempt_at <= now
    if seat is not None and ready:
        message = message.begun(seat, exposed=incident.exposed)
        incident = on_claimed(incident, told)
    stored = replace(message, id=await tx.add_message(message))
    await tx.put_incident(on_queued(incident, stored.id, told, now))
    return stored


async def resolve(
    tx: NotificationTransaction,
    incident: Incident,
    content: Content,
    *,
    send_resolved: bool,
    max_age: Duration,
    now: Timestamp,
    seat: Seat | None = None,
) -> Message | None:
    """End an incident whose alerts have all ended; return the message, if one is needed.

    None is needed when the receiver cannot know of the incident (its trigger
    was never attempted, and goes with it), or does not want to hear of ends.
    """
    if not send_resolved or never_reached(incident):
        await _supersede(tx, await tx.unfinished(incident.id), now)
        await tx.put_incident(on_closed(incident, now))
        return None
    told = Told(resolved=frozenset(alert.fingerprint for alert in content.alerts))
    return await enqueue(tx, incident, told, content, max_age=max_age, now=now, seat=seat)


async def ended(tx: NotificationTransaction, incident: Incident, content: Content) -> Content:
    """Return `content` about the alerts last told of, as ended.

    For incidents whose alerts are gone from everywhere but the outbox.
    """
    last = await tx.last_message(incident.id)
    if last is None:
        return content
    alerts = tuple(
        replace(alert, ends_at=min(alert.ends_at, content.at)) for alert in last.content.alerts
    )
    return replace(content, alerts=alerts, route_labels=last.content.route_labels)


async def _supersede(
    tx: NotificationTransaction, unfinished: Sequence[Message], now: Timestamp
) -> Sequence[Message]:
    """Take back what waits. What is being sent right now stays, and comes first."""
    waiting = [message for message in unfinished if message.state is MessageState.QUEUED]
    for message in waiting:
        await tx.update_message(replace(message, state=MessageState.SUPERSEDED, finished_at=now))
    return waiting
