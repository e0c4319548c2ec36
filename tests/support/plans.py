"""Are indexes used? Record what a repository really sends, then ask the engine for its plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, text

from controlplane.storage.database import Database

_PLANNED: Final = ("SELECT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True, slots=True)
class Recording:
    """The statements that were sent, with their parameters, in order."""

    statements: list[tuple[str, Any]] = field(default_factory=list)


@contextmanager
def recording() -> Iterator[Recording]:
    """Record every statement with a plan that any engine of this process runs in the block."""
    recorded = Recording()

    def note(
        _connection: Connection, _cursor: object, sql: str, parameters: Any, *_more: object
    ) -> None:
        if sql.lstrip().upper().startswith(_PLANNED):
            recorded.statements.append((sql, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield recorded
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def full_scans(database: Database, recorded: Recording) -> list[str]:
    """Return each recorded statement, with its plan, that reads a whole table.

    PostgreSQL prefers to read small tables whole, so it is told not to: what
    it then still reads whole has no index to offer.
    """
    assert recorded.statements, "nothing was recorded"
    return [
        f"{sql}\n{plan}"
        for sql, parameters in recorded.statements
        if _reads_all(plan := await _plan(database, sql, parameters), sqlite=database.is_sqlite)
    ]


async def _plan(database: Database, sql: str, parameters: Any) -> str:
    async with database.begin() as connection:
        if database.is_sqlite:
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
            return "\n".join(row.detail for row in rows)
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)
        return "\n".join(row[0] for row in rows)


def _reads_all(plan: str, *, sqlite: bool) -> bool:
    if not sqlite:
        return "Seq Scan" in plan
    steps = [line.split() for line in plan.splitlines()]
    derived = {words[1] for words in steps if words[0] in ("CO-ROUTINE", "MATERIALIZE")}
    # A scan of a subquery's result, or along an index, reads no table whole.
    return any(
        words[0] == "SCAN"
        and words[1] not in derived
        and not words[1].startswith("(")
        and "INDEX" not in words
        for words in steps
    )
