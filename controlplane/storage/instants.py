"""The instant by the clock of the database: the one that all replicas share."""

from typing import Final

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.clock import Timestamp
from controlplane.storage.schema import Millis

# Milliseconds since 1970, as of the moment in which the statement is run.
_NOW: Final = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}


def database_now(connection: AsyncConnection) -> ColumnElement[Timestamp]:
    """Return what stands in a statement for the instant, in milliseconds."""
    return literal_column(_NOW[connection.dialect.name], Millis)
