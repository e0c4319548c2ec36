"""Whether a pooled connection to PostgreSQL still lives: asked where there is doubt only.

To ask takes three ways to the server, as much as most of our questions. A server
that restarts or dismisses us says so to the idle connection, which has the end
of the stream, or the reason, to read. Only one whose network or machine is gone
says nothing; no failover is over so soon after the last use as `_TRUSTED`.
"""

import select
from typing import Any, Final

from sqlalchemy import event, exc
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from controlplane.clock import Clock

# Seconds for which a connection that was of use is taken to live.
_TRUSTED: Final = 5.0
_USED: Final = "used"


def watch(engine: AsyncEngine, clock: Clock) -> None:
    """Have the pool of an engine open a new connection in place of one that is gone."""
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def _on_checkin(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_USED] = clock.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _on_checkout(
        connection: DBAPIConnection, record: ConnectionPoolEntry, _lent: object
    ) -> None:
        used = record.info.get(_USED)
        if used is None:  # it was opened just now
            return
        driven: Any = record.driver_connection
        if driven.is_closed():
            raise exc.InvalidatePoolError
        if clock.monotonic() - used < _TRUSTED and not _has_to_read(driven):
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, connection, None):
                raise exc.InvalidatePoolError from error
            raise


def _has_to_read(driven: Any) -> bool:
    """Tell whether something came that nobody asked for; the event loop may be late to see it."""
    poll = select.poll()
    # asyncpg shows its socket to nobody else.
    poll.register(driven._transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))
