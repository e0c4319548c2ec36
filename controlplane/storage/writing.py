"""Writing rows: one statement for both engines, with as little as possible for each row.

Many rows at once come in bursts, and SQLAlchemy would look up every value of
each by name and by type. Here that is done once for a statement: a row becomes
a tuple in the order of its parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]
Prepare = Callable[[Any], Any]


class _Conflict(Enum):
    """What becomes of a row whose primary key is there already."""

    FAIL = auto()
    KEEP = auto()
    REPLACE = auto()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What a driver is given: the text, and what makes a value of each parameter, in order."""

    text: str
    columns: tuple[tuple[str, Prepare | None], ...]

    def parameters(self, row: Values) -> tuple[Any, ...]:
        return tuple(
            [row[name] if make is None else make(row[name]) for name, make in self.columns]
        )


async def add(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, all with the same columns."""
    await _write(connection, table, rows, _Conflict.FAIL)


async def add_missing(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert those rows whose primary key is not there yet, all with the same columns."""
    await _write(connection, table, rows, _Conflict.KEEP)


async def put(connection: AsyncConnection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, each with all columns, or replace those that have their primary key."""
    await _write(connection, table, rows, _Conflict.REPLACE)


async def _write(
    connection: AsyncConnection, table: Table, rows: Sequence[Values], conflict: _Conflict
) -> None:
    if not rows:
        return
    statement = _statement(table, connection.dialect, frozenset(rows[0]), conflict)
    await connection.exec_driver_sql(statement.text, [statement.parameters(row) for row in rows])


@lru_cache(maxsize=64)
def _statement(
    table: Table, dialect: Dialect, names: frozenset[str], conflict: _Conflict
) -> _Statement:
    """Each engine has its own insert, and both the same clause."""
    statement: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    key = [column.name for column in table.primary_key]
    if conflict is _Conflict.KEEP:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    if conflict is _Conflict.REPLACE:
        new = {column.name: statement.excluded[column.name] for column in table.columns}
        statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    compiled = statement.compile(dialect=dialect, column_keys=sorted(names))
    return _Statement(
        str(compiled),
        tuple((name, _preparing(table, name, dialect)) for name in compiled.positiontup),
    )


def _preparing(table: Table, name: str, dialect: Dialect) -> Prepare | None:
    """Return what makes a value of a column fit for the driver; None when it is as it is."""
    return table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)
