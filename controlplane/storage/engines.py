"""How each engine is opened: URLs, pools, time-outs, SQLite's pragmas."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, exc, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from controlplane.clock import Clock
from controlplane.errors import InvalidInput
from controlplane.storage import documents
from controlplane.storage.liveness import watch
from controlplane.storage.options import StorageOptions
from controlplane.storage.sqlite_connection import ThreadedConnection

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_DRIVERS_BY_ALIAS: Final = {
    **_DRIVERS,
    "postgres": _DRIVERS["postgresql"],
    **{driver: driver for driver in _DRIVERS.values()},
}
# What may follow `?` in a PostgreSQL URL. `host` is the directory of a Unix
# socket; the cache size is set to 0 behind a pooler such as pgbouncer.
_QUERY_KEYS: Final = frozenset({"host", "ssl", "sslmode", "prepared_statement_cache_size"})


def parse_url(text: str) -> URL:
    """Return the URL with the driver that we use. Raises InvalidInput, never with the text."""
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        raise InvalidInput("not a database URL: write sqlite:///path or postgresql://...") from None
    driver = _DRIVERS_BY_ALIAS.get(url.drivername)
    if driver is None:
        raise InvalidInput(f"unknown database {url.drivername!r}: sqlite or postgresql")
    url = url.set(drivername=driver)
    return _check_sqlite(url) if driver == _DRIVERS["sqlite"] else _check_postgresql(url)


def engines(url: URL, options: StorageOptions, clock: Clock) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine that writes and the one that only reads."""
    if url.get_backend_name() == "sqlite":
        writer = _sqlite(url, options, begin="BEGIN IMMEDIATE", pool_size=1)
        return writer, _sqlite(url, options, begin="BEGIN", pool_size=options.pool_size)
    writer = create_async_engine(
        url,
        hide_parameters=True,
        json_serializer=documents.write,
        json_deserializer=documents.read,
        connect_args=_postgresql_settings(options),
        pool_size=options.pool_size,
        max_overflow=options.max_overflow,
        pool_timeout=options.pool_timeout / 1000,
        pool_recycle=options.pool_recycle // 1000,
    )
    watch(writer, clock)
    return writer, writer.execution_options(postgresql_readonly=True)


def migration_engine(url: URL, options: StorageOptions) -> AsyncEngine:
    """Return an engine that keeps no connection and no watch over foreign keys."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, options, begin="BEGIN IMMEDIATE", pool_size=1, foreign_keys=False)
    settings = _postgresql_settings(options)
    # Building an index on a table that grew may well take longer than a query may.
    settings["command_timeout"] = None
    del settings["server_settings"]["statement_timeout"]
    return create_async_engine(url, poolclass=NullPool, connect_args=settings)


def _check_sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise InvalidInput("SQLite needs a file: sqlite:///path")
    if url.query:
        raise InvalidInput("a SQLite URL takes no parameters")
    if not Path(url.database).parent.is_dir():
        raise InvalidInput(f"no such directory: {Path(url.database).parent}")
    return url


def _check_postgresql(url: URL) -> URL:
    if unknown := sorted(set(url.query) - _QUERY_KEYS):
        raise InvalidInput(f"unknown parameter {unknown[0]!r} in the database URL")
    if not url.database:
        raise InvalidInput("the database URL names no database")
    if "sslmode" not in url.query:
        return url
    # libpq's name for it, which every other program takes.
    mode = url.query["sslmode"]
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})


def _postgresql_settings(options: StorageOptions) -> dict[str, Any]:
    return {
        "timeout": options.connect_timeout / 1000,
        # The client's own limit is for a server that went away; the server's,
        # a little earlier, is for a slow statement.
        "command_timeout": options.statement_timeout / 1000 + 1,
        "server_settings": {
            "application_name": "controlplane",
            "statement_timeout": str(options.statement_timeout),
            "idle_in_transaction_session_timeout": str(options.statement_timeout),
        },
    }


def _sqlite(
    url: URL, options: StorageOptions, *, begin: str, pool_size: int, foreign_keys: bool = True
) -> AsyncEngine:
    """Return an engine whose transactions open with `begin`.

    The standard library would begin a transaction only at the first write,
    too late to wait for a lock; so it is told to begin none (isolation_level
    None), and we do, also around DDL. A committed transaction outlives the
    process with synchronous=NORMAL; only a loss of power may take the last
    ones, and never breaks the file.
    """
    engine = create_async_engine(
        url,
        hide_parameters=True,
        connect_args={"async_creator_fn": ThreadedConnection},
        json_serializer=documents.write,
        json_deserializer=documents.read,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=options.pool_timeout / 1000,
    )

    pragmas = (
        f"busy_timeout = {int(options.statement_timeout)}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
        f"query_only = {'ON' if begin == 'BEGIN' else 'OFF'}",
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: DBAPIConnection, _record: object) -> None:
        try:
            _prepare(connection, pragmas)
        except BaseException:  # cut off, it would be nobody's
            engine.sync_engine.dialect.do_terminate(connection)
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _prepare(connection: DBAPIConnection, pragmas: Sequence[str]) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
