"""Why a table does not grow for ever: one statement beside each table."""

from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Table

from controlplane.clock import Timestamp


@dataclass(frozen=True, slots=True)
class Bounded:
    """A table that cannot grow without end, and why."""

    table: Table
    because: str


@dataclass(frozen=True, slots=True)
class Expires:
    """A table whose rows go once `since` is older than the retention named `keep`.

    `keep` is a field of `RetentionOptions`; `where` spares rows that are still
    needed. The table needs an index that leads to old rows.
    """

    table: Table
    since: Column[Timestamp] | ColumnElement[Timestamp]
    keep: str
    where: ColumnElement[bool] | None = None


Growth = Bounded | Expires
