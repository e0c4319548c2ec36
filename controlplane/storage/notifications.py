"""The notification log, the outbox and the incidents: implements notify.ports.NotificationStore."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Select, and_, exists, func, insert, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Timestamp
from controlplane.model.fence import OPEN, Fence
from controlplane.notify.incident import Incident
from controlplane.notify.message import Attempt, Message, MessageState
from controlplane.notify.ports import GroupFlush
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.notification_rows import (
    attempt_row,
    attempt_value,
    incident_row,
    incident_value,
    life_row,
    message_row,
    message_value,
    notified_rows,
)
from controlplane.storage.tables.alerts import alerts
from controlplane.storage.tables.notifications import attempts, incidents, messages, notified
from controlplane.storage.writing import add, put

# Keys in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500
_UNFINISHED: Final = messages.c.state.in_(("queued", "sending"))
_OPEN: Final = incidents.c.closed_at.is_(None)
# An incident's columns beside those of a message.
_PREFIX: Final = "of_"
_OF_INCIDENT: Final = tuple(column.label(_PREFIX + column.name) for column in incidents.c)


class SqlNotifications:
    """Everything that notifying keeps, in one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @asynccontextmanager
    async def begin(self, fence: Fence = OPEN) -> AsyncIterator["SqlNotificationTransaction"]:
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            yield SqlNotificationTransaction(connection)

    async def open_incidents(self) -> Sequence[Incident]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(incidents).where(_OPEN))
            return [incident_value(row._mapping) for row in rows]

    async def channels_due(self, now: Timestamp) -> Sequence[tuple[str, str]]:
        statement = select(messages.c.receiver, messages.c.integration).where(_due(now)).distinct()
        async with self._db.read() as connection:
            return [(row.receiver, row.integration) for row in await connection.execute(statement)]

    async def next_attempt(self, now: Timestamp) -> Timestamp | None:
        queued = select(func.min(messages.c.next_attempt_at).label("at")).where(
            _UNFINISHED, messages.c.state == "queued", messages.c.next_attempt_at > now
        )
        leased = select(func.min(messages.c.lease_until).label("at")).where(
            _UNFINISHED, messages.c.state == "sending", messages.c.lease_until > now
        )
        both = union_all(queued, leased).subquery()
        async with self._db.read() as connection:
            found: Timestamp | None = await connection.scalar(select(func.min(both.c.at)))
            return found

    async def release(self, owner: str) -> int:
        name = owner.rpartition("/")[0] or owner
        earlier = or_(
            messages.c.owner == name, messages.c.owner.startswith(f"{name}/", autoescape=True)
        )
        statement = (
            update(messages)
            .where(_UNFINISHED, messages.c.state == "sending", earlier)
            .values(lease_until=0)
        )
        async with self._db.begin() as connection:
            return (await connection.execute(statement)).rowcount

    async def depth(self) -> Mapping[MessageState, int]:
        counted = (MessageState.QUEUED, MessageState.SENDING, MessageState.DEAD)
        statement = (
            select(messages.c.state, func.count())
            .where(messages.c.state.in_([state.value for state in counted]))
            .group_by(messages.c.state)
        )
        async with self._db.read() as connection:
            rows = {MessageState(row[0]): row[1] for row in await connection.execute(statement)}
        return {state: rows.get(state, 0) for state in counted}

    async def list_messages(
        self, state: MessageState, *, before: int | None, limit: int
    ) -> Sequence[Message]:
        statement = select(messages).where(messages.c.state == state.value)
        if before is not None:
            statement = statement.where(messages.c.id < before)
        return await self._messages(statement.order_by(messages.c.id.desc()).limit(limit))

    async def about(self, fingerprint: str, limit: int) -> Sequence[Message]:
        newest = (
            select(notified.c.message_id)
            .where(notified.c.fingerprint == fingerprint)
            .order_by(notified.c.message_id.desc())
            .limit(limit)
        )
        statement = select(messages).where(messages.c.id.in_(newest.scalar_subquery()))
        return await self._messages(statement.order_by(messages.c.id.desc()))

    async def attempts(self, message_ids: Collection[int]) -> Sequence[Attempt]:
        ids, found = sorted(message_ids), []
        async with self._db.browse() as connection:
            for start in range(0, len(ids), _CHUNK):
                statement = (
                    select(attempts)
                    .where(attempts.c.message_id.in_(ids[start : start + _CHUNK]))
                    .order_by(attempts.c.message_id, attempts.c.number)
                )
                found += [attempt_value(row) for row in await connection.execute(statement)]
        return found

    async def _messages(self, statement: Select[Any]) -> Sequence[Message]:
        async with self._db.browse() as connection:
            return [message_value(row) for row in await connection.execute(statement)]


class SqlNotificationTransaction:
    """One transaction on the same tables. An incident that was read is locked until its end."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def incidents_for(self, flushes: Sequence[GroupFlush]) -> Sequence[Incident]:
        found: dict[str, Incident] = {}
        for start in range(0, len(flushes), _CHUNK // 4):
            chunk = flushes[start : start + _CHUNK // 4]
            receivers = {flush.receiver for flush in chunk}
            keys = {_group_id(flush.group_key) for flush in chunk}
            labels = {flush.group_labels.fingerprint() for flush in chunk}
            either = or_(incidents.c.group_id.in_(keys), incidents.c.labels_id.in_(labels))
            # Locked in one order by all, so that no two wait for each other.
            statement = (
                select(incidents)
                .where(_OPEN, incidents.c.receiver.in_(receivers), either)
                .order_by(incidents.c.id)
            )
            for incident in await self._incidents(statement):
                found[incident.id] = incident
        return sorted(found.values(), key=lambda incident: (incident.opened_at, incident.id))

    async def incident(self, incident_id: str) -> Incident | None:
        found = await self._incidents(select(incidents).where(incidents.c.id == incident_id))
        return found[0] if found else None

    async def put_incident(self, incident: Incident) -> None:
        row = incident_row(incident) | {"group_id": _group_id(incident.group_key)}
        await put(self._connection, incidents, [row])

    async def unfinished(self, incident_id: str) -> Sequence[Message]:
        return await self._messages(_of(incident_id).where(_UNFINISHED).order_by(messages.c.id))

    async def dead(self, incident_id: str) -> Sequence[Message]:
        return await self._messages(_of(incident_id).where(messages.c.state == "dead"))

    async def message(self, message_id: int) -> Message | None:
        found = await self._messages(select(messages).where(messages.c.id == message_id))
        return found[0] if found else None

    async def last_message(self, incident_id: str) -> Message | None:
        newest = _of(incident_id).order_by(messages.c.id.desc()).limit(1)
        found = await self._messages(newest)
        return found[0] if found else None

    async def add_message(self, message: Message) -> int:
        row = message_row(message)
        result = await self._connection.execute(insert(messages).returning(messages.c.id), row)
        number: int = result.scalar_one()
        await add(self._connection, notified, notified_rows(number, message))
        return number

    async def update_message(self, message: Message) -> None:
        statement = update(messages).where(messages.c.id == message.id)
        await self._connection.execute(statement, life_row(message))

    async def claim(self, before: Message, after: Message) -> bool:
        statement = update(messages).where(
            messages.c.id == before.id,
            messages.c.state == before.state.value,
            messages.c.owner == before.owner,
            messages.c.attempts == before.attempts,
            messages.c.lease_until == before.lease_until,
        )
        return (await self._connection.execute(statement, life_row(after))).rowcount == 1

    async def add_attempt(self, attempt: Attempt) -> None:
        await self._connection.execute(insert(attempts), attempt_row(attempt))

    async def claimable(
        self, channel: tuple[str, str], now: Timestamp, limit: int
    ) -> Sequence[tuple[Message, Incident]]:
        older = messages.alias("older")
        blocked = exists().where(
            older.c.incident_id == messages.c.incident_id,
            older.c.id < messages.c.id,
            older.c.state.in_(("queued", "sending")),
        )
        # Its incident is what a message is locked by, here as everywhere.
        statement = (
            select(messages, *_OF_INCIDENT)
            .join(incidents, incidents.c.id == messages.c.incident_id)
            .where(
                messages.c.receiver == channel[0],
                messages.c.integration == channel[1],
                _due(now),
                ~blocked,
            )
            .order_by(messages.c.id)
            .limit(limit)
            .with_for_update(of=incidents, skip_locked=True)
        )
        rows = await self._connection.execute(statement)
        return [(message_value(row), incident_value(row._mapping, _PREFIX)) for row in rows]

    async def unended(self, fingerprints: Collection[str]) -> frozenset[str]:
        names, found = sorted(fingerprints), set[str]()
        for start in range(0, len(names), _CHUNK):
            statement = select(alerts.c.fingerprint).where(
                alerts.c.fingerprint.in_(names[start : start + _CHUNK]),
                # What somebody has ended was spoken of when it ended, by whichever clock.
                alerts.c.updated_at < alerts.c.ends_at,
            )
            found.update(await self._connection.scalars(statement))
        return frozenset(found)

    async def _incidents(self, statement: Select[Any]) -> Sequence[Incident]:
        rows = await self._connection.execute(statement.with_for_update())
        return [incident_value(row._mapping) for row in rows]

    async def _messages(self, statement: Select[Any]) -> Sequence[Message]:
        return [message_value(row) for row in await self._connection.execute(statement)]


def _of(incident_id: str) -> Select[Any]:
    return select(messages).where(messages.c.incident_id == incident_id)


def _due(now: Timestamp) -> Any:
    waiting = and_(messages.c.state == "queued", messages.c.next_attempt_at <= now)
    abandoned = and_(messages.c.state == "sending", messages.c.lease_until <= now)
    return and_(_UNFINISHED, or_(waiting, abandoned))


def _group_id(group_key: str) -> str:
    return sha256(group_key.encode()).hexdigest()
