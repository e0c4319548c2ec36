"""Rollups of uptime in SQL. Implements uptime.ports.RollupRepository."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import select

from controlplane.clock import Timestamp
from controlplane.storage.database import Database
from controlplane.storage.tables.uptime import uptime_progress, uptime_rows
from controlplane.storage.writing import put
from controlplane.uptime.cells import Level
from controlplane.uptime.ports import PackedRow

# Subjects in one `IN (...)`: with the starts below SQLite's limit on parameters.
_CHUNK: Final = 500
_STARTS: Final = 200


class SqlUptime:
    """Rows of cells as they come; what is in them is not looked at."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, level: Level, start: Timestamp, rows: Sequence[PackedRow]) -> None:
        written = [
            {"level": int(level), "starts_at": start, "subject": subject, "cells": cells}
            for subject, cells in rows
        ]
        async with self._db.begin() as connection:
            await put(connection, uptime_rows, written)

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
        async with self._db.read() as connection:
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

    async def advance(self, level: Level, until: Timestamp) -> None:
        async with self._db.begin() as connection:
            await put(connection, uptime_progress, [{"level": int(level), "folded_until": until}])
