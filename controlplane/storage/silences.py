"""Silences with their history, and the past that they are tried on.

Implements mute.ports.SilenceRepository and mute.ports.Past.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.alerts.decision import Kind
from controlplane.clock import Timestamp
from controlplane.errors import Outdated
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.mute.silence import Action, Silence, SilenceChange
from controlplane.notify.message import MessageState
from controlplane.storage.database import Database
from controlplane.storage.intervals import interval_document, interval_of
from controlplane.storage.tables.ledger import alert_history, decisions
from controlplane.storage.tables.notifications import messages, notified
from controlplane.storage.tables.silences import silence_changes, silences
from controlplane.storage.writing import add, put

Item = TypeVar("Item")

# Ids in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500


class SqlSilences:
    """Silences, a row each, and a row for each change."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Silence]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(silences.c.silence))
            return [_silence(row.silence) for row in rows]

    async def find(self, ids: Collection[str]) -> Sequence[Silence]:
        found: list[Silence] = []
        async with self._db.read() as connection:
            for chunk in _chunks(sorted(ids)):
                wanted = select(silences.c.silence).where(silences.c.id.in_(chunk))
                found += [_silence(row.silence) for row in await connection.execute(wanted)]
        return found

    async def save(
        self, changes: Sequence[SilenceChange], known: Mapping[str, Silence | None] | None = None
    ) -> None:
        if not changes:
            return
        async with self._db.begin() as connection:
            if known is not None:
                await _compare(connection, known)
            await put(connection, silences, [_row(change.silence) for change in changes])
            await add(connection, silence_changes, [_change(c) for c in changes])

    async def delete(self, ids: Collection[str]) -> None:
        async with self._db.begin() as connection:
            for chunk in _chunks(list(ids)):
                await connection.execute(delete(silences).where(silences.c.id.in_(chunk)))

    async def history(self, silence_id: str) -> Sequence[SilenceChange]:
        kept = silence_changes.c
        wanted = (
            select(kept.silence, kept.action, kept.at, kept.by)
            .where(kept.silence_id == silence_id)
            .order_by(kept.id)
        )
        async with self._db.read() as connection:
            rows = await connection.execute(wanted)
            return [
                SilenceChange(_silence(row.silence), Action(row.action), row.at, row.by)
                for row in rows
            ]


class SqlPast:
    """Alerts of the ledger, and the notifications that arrived about them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def alerts(
        self, since: Timestamp, *, after: str, limit: int
    ) -> Sequence[tuple[str, Labels]]:
        rows = alert_history.c
        wanted = (
            select(rows.fingerprint, rows.labels)
            .where(rows.fingerprint > after, or_(rows.ends_at.is_(None), rows.ends_at >= since))
            .order_by(rows.fingerprint)
            .limit(limit)
        )
        async with self._db.read() as connection:
            found = await connection.execute(wanted)
            return [(row.fingerprint, Labels(row.labels)) for row in found]

    async def began(self, fingerprints: Collection[str], since: Timestamp) -> Sequence[Timestamp]:
        found: list[Timestamp] = []
        rows = decisions.c
        for chunk in _chunks(list(fingerprints)):
            wanted = select(rows.at).where(
                rows.fingerprint.in_(chunk), rows.kind == Kind.RECEIVED.value, rows.at >= since
            )
            async with self._db.read() as connection:
                found += (await connection.execute(wanted)).scalars()
        return found

    async def told(self, fingerprints: Collection[str], since: Timestamp) -> Sequence[Timestamp]:
        about = await self._about(list(fingerprints))
        found: list[Timestamp] = []
        for chunk in _chunks(list(about)):
            wanted = (
                select(messages.c.id, messages.c.finished_at, func.count().label("alerts"))
                .join(notified, notified.c.message_id == messages.c.id)
                .where(messages.c.id.in_(chunk), messages.c.finished_at >= since)
                .where(messages.c.state == MessageState.DELIVERED.value)
                .group_by(messages.c.id, messages.c.finished_at)
            )
            async with self._db.read() as connection:
                rows = await connection.execute(wanted)
                found += [row.finished_at for row in rows if row.alerts == about[row.id]]
        return found

    async def _about(self, fingerprints: Sequence[str]) -> Counter[int]:
        """Return the messages about some alerts, and about how many of them each is."""
        about: Counter[int] = Counter()
        for chunk in _chunks(fingerprints):
            wanted = select(notified.c.message_id).where(notified.c.fingerprint.in_(chunk))
            async with self._db.read() as connection:
                about.update((await connection.execute(wanted)).scalars())
        return about


async def _compare(connection: AsyncConnection, known: Mapping[str, Silence | None]) -> None:
    """Return when silences are kept as they are known; nobody else changes them until the end."""
    wanted = select(silences.c.silence).where(silences.c.id.in_(known)).order_by(silences.c.id)
    rows = await connection.scalars(wanted.with_for_update())
    kept = {silence.id: silence for silence in map(_silence, rows)}
    if different := {name for name, silence in known.items() if kept.get(name) != silence}:
        raise Outdated("silences were changed meanwhile", different)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _row(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "silence": _document(silence),
    }


def _change(change: SilenceChange) -> dict[str, Any]:
    return {
        "silence_id": change.silence.id,
        "at": change.at,
        "action": change.action.value,
        "by": change.by,
        "silence": _document(change.silence),
    }


def _document(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "matchers": [[m.name, m.op.value, m.value] for m in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "updated_at": silence.updated_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "annotations": dict(silence.annotations),
        "times": [interval_document(interval) for interval in silence.times],
        "until_resolved": silence.until_resolved,
    }


def _silence(document: Mapping[str, Any]) -> Silence:
    plain = dict(document)
    matchers = tuple(Matcher(name, MatchOp(op), value) for name, op, value in plain["matchers"])
    return Silence(
        **plain
        | {
            "matchers": matchers,
            "annotations": Labels(plain["annotations"]),
            "times": tuple(interval_of(interval) for interval in plain["times"]),
        }
    )
