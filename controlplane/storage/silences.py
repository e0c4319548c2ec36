"""Silences with their history: implements mute.ports.SilenceRepository."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.time_interval import Span, TimeInterval
from controlplane.mute.silence import Action, Silence, SilenceChange
from controlplane.storage.database import Database
from controlplane.storage.tables.silences import silence_changes, silences

# Ids in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500
_PARTS: Final = ("times", "weekdays", "days_of_month", "months", "years")


class SqlSilences:
    """Silences, a row each, and a row for each change."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Silence]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(silences.c.silence))
            return [_silence(row.silence) for row in rows]

    async def save(self, changes: Sequence[SilenceChange]) -> None:
        if not changes:
            return
        # Each engine has its own insert, and both the same clause.
        statement = (sqlite if self._db.is_sqlite else postgresql).insert(silences)
        new = {column.name: statement.excluded[column.name] for column in silences.columns}
        upsert = statement.on_conflict_do_update(index_elements=["id"], set_=new)
        async with self._db.begin() as connection:
            await connection.execute(upsert, [_row(change.silence) for change in changes])
            await connection.execute(insert(silence_changes), [_change(c) for c in changes])

    async def delete(self, ids: Collection[str]) -> None:
        names = list(ids)
        async with self._db.begin() as connection:
            for start in range(0, len(names), _CHUNK):
                chunk = names[start : start + _CHUNK]
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
        "times": [_interval_document(interval) for interval in silence.times],
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
            "times": tuple(_interval(interval) for interval in plain["times"]),
        }
    )


def _interval_document(interval: TimeInterval) -> dict[str, Any]:
    spans = {part: getattr(interval, part) for part in _PARTS}
    document: dict[str, Any] = {
        part: None if ranges is None else [[span.begin, span.end] for span in ranges]
        for part, ranges in spans.items()
    }
    return document | {"location": interval.location}


def _interval(document: Mapping[str, Any]) -> TimeInterval:
    spans: dict[str, tuple[Span, ...] | None] = {
        part: None if document[part] is None else tuple(Span(*pair) for pair in document[part])
        for part in _PARTS
    }
    return TimeInterval(**spans, location=document["location"])
