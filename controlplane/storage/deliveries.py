"""How messages fared, by the channel that they were for: implements notify.health.Deliveries."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import func, select

from controlplane.clock import Timestamp
from controlplane.notify.message import Attempt, MessageState
from controlplane.storage.database import Database
from controlplane.storage.notification_rows import attempt_value
from controlplane.storage.tables.notifications import attempts, messages

_COUNTED: Final = (MessageState.QUEUED, MessageState.SENDING, MessageState.DEAD)
_COUNTED_NAMES: Final = tuple(state.value for state in _COUNTED)


class SqlDeliveries:
    """Reads the outbox and what came of its messages."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def depths(self) -> Mapping[tuple[str, str], Mapping[MessageState, int]]:
        columns = (messages.c.receiver, messages.c.integration, messages.c.state)
        statement = (
            select(*columns, func.count().label("number"))
            .where(messages.c.state.in_(_COUNTED_NAMES))
            .group_by(*columns)
        )
        found: dict[tuple[str, str], dict[MessageState, int]] = {}
        async with self._db.read() as connection:
            for row in await connection.execute(statement):
                channel = found.setdefault((row.receiver, row.integration), {})
                channel[MessageState(row.state)] = row.number
        return found

    async def attempts(self, channel: tuple[str, str], limit: int) -> Sequence[Attempt]:
        statement = (
            select(attempts)
            .join(messages, messages.c.id == attempts.c.message_id)
            .where(messages.c.receiver == channel[0], messages.c.integration == channel[1])
            .order_by(messages.c.id.desc(), attempts.c.number.desc())
            .limit(limit)
        )
        async with self._db.browse() as connection:
            return [attempt_value(row) for row in await connection.execute(statement)]

    async def last_delivered(self, channel: tuple[str, str]) -> Timestamp | None:
        # The newest message that arrived is, within seconds, the one that arrived last.
        statement = (
            select(messages.c.finished_at)
            .where(
                messages.c.receiver == channel[0],
                messages.c.integration == channel[1],
                messages.c.state == MessageState.DELIVERED.value,
            )
            .order_by(messages.c.id.desc())
            .limit(1)
        )
        async with self._db.browse() as connection:
            found: Timestamp | None = await connection.scalar(statement)
            return found
