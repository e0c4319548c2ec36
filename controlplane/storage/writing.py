"""Writing rows: one statement for both engines, with as little as possible for each row."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Insert, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]


async def add(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows."""
    if rows:
        await connection.execute(insert(table), rows)


async def put(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, each with all columns, or replace those that have their primary key."""
    if rows:
        await connection.execute(_upsert(table, connection.dialect.name), rows)


@lru_cache(maxsize=64)
def _upsert(table: Table, dialect: str) -> Insert:
    """Each engine has its own insert, and both the same clause."""
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    new = {column.name: statement.excluded[column.name] for column in table.columns}
    key = [column.name for column in table.primary_key]
    upsert: Insert = statement.on_conflict_do_update(index_elements=key, set_=new)
    return upsert
