"""Rollups of uptime in SQL. Implements uptime.ports.RollupRepository."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Timestamp
from controlplane.storage.database import Database
from controlplane.storage.tables.uptime import uptime_progress, uptime_rows
from controlplane.storage.writing import add_missing, put
from controlplane.uptime.cells import Level, merged
from controlplane.uptime.ports import PackedRow

# Subjects in one `IN (...)`: with the starts below SQLite's limit on parameters.
_CHUNK: Final = 500
_STARTS: Final = 200


class SqlUptime:
    """Rows of cells as they come; what is in them is not looked at."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        written = [_values(level, start, subject, cells) for subject, cells in rows]
        async with self._db.begin() as connection:
            await put(connection, uptime_rows, written)

    async def merge(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        # Always in the same order, so that no two replicas wait for each other.
        wanted = sorted(rows)
        for place in range(0, len(wanted), _CHUNK):
            async with self._db.begin() as connection:
                chunk = dict(wanted[place : place + _CHUNK])
                if await _merge(connection, level, start, chunk):
                    await _fold_again(connection, level, start)

    async def block(self, level: Level, start: Timestamp) -> Sequence[PackedRow]:
        kept = uptime_rows.c
        wanted = select(kept.subject, kept.cells).where(
            kept.level == int(level), kept.starts_at == start
        )
        async with self._db.read() as connection:
            return [(row.subject, row.cells) for row in await connection.execute(wanted)]

    async def rows(
        self, level: Level, subjects: Collection[str], starts: Sequence[Timestamp]
    ) -> Sequence[tuple[str, Timestamp, bytes]]:
        kept, found = uptime_rows.c, []
        names = sorted(subjects)
        async with self._db.browse() as connection:
            for place in range(0, len(names), _CHUNK):
                for first in range(0, len(starts), _STARTS):
                    wanted = select(kept.subject, kept.starts_at, kept.cells).where(
                        kept.level == int(level),
                        kept.starts_at.in_(starts[first : first + _STARTS]),
                        kept.subject.in_(names[place : place + _CHUNK]),
                    )
                    rows = await connection.execute(wanted)
                    found += [(row.subject, row.starts_at, row.cells) for row in rows]
        return found

    async def progress(self) -> Mapping[Level, Timestamp]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(uptime_progress))
            return {Level(row.level): row.folded_until for row in rows}

    async def advance(self, level: Level, since: Timestamp | None, until: Timestamp) -> bool:
        progress = uptime_progress.c
        async with self._db.begin() as connection:
            if since is None:
                first = {"level": int(level), "folded_until": until}
                await add_missing(connection, uptime_progress, [first])
                since = until
            noted = await connection.execute(
                update(uptime_progress)
                .where(progress.level == int(level), progress.folded_until == since)
                .values(folded_until=until)
            )
            return noted.rowcount == 1


async def _merge(
    connection: AsyncConnection, level: Level, start: Timestamp, rows: Mapping[str, bytes]
) -> bool:
    """Merge rows into those that are kept, which nobody else writes meanwhile.

    Returns whether any has become another.
    """
    kept = await _locked(connection, level, start, rows)
    if missing := rows.keys() - kept.keys():
        # Another replica may insert them at the same time: then its rows count as kept.
        new = [_values(level, start, each, rows[each]) for each in sorted(missing)]
        await add_missing(connection, uptime_rows, new)
        kept |= await _locked(connection, level, start, missing)
    together = await asyncio.to_thread(_merged, kept, rows, level)
    changed = [_values(level, start, each, cells) for each, cells in together]
    await put(connection, uptime_rows, changed)
    return bool(missing or changed)


async def _locked(
    connection: AsyncConnection, level: Level, start: Timestamp, subjects: Collection[str]
) -> dict[str, bytes]:
    kept = uptime_rows.c
    wanted = (
        select(kept.subject, kept.cells)
        .where(
            kept.level == int(level), kept.starts_at == start, kept.subject.in_(sorted(subjects))
        )
        .order_by(kept.subject)
        .with_for_update()
    )
    return {row.subject: row.cells for row in await connection.execute(wanted)}


def _merged(
    kept: Mapping[str, bytes], rows: Mapping[str, bytes], level: Level
) -> list[tuple[str, bytes]]:
    """Return the rows that are to be other than they are kept."""
    together = ((each, merged(kept[each], cells, level)) for each, cells in rows.items())
    return [(each, cells) for each, cells in together if cells != kept[each]]


async def _fold_again(connection: AsyncConnection, level: Level, start: Timestamp) -> None:
    """Have rows from an instant on added up once more, if they were."""
    progress = uptime_progress.c
    await connection.execute(
        update(uptime_progress)
        .where(progress.level == int(level), progress.folded_until > start)
        .values(folded_until=start)
    )


def _values(level: Level, start: Timestamp, subject: str, cells: bytes) -> dict[str, Any]:
    return {"level": int(level), "starts_at": start, "subject": subject, "cells": cells}
