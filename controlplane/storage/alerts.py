"""The active alerts' rows: implements alerts.ports.AlertRepository."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from controlplane.alerts.ports import Decide
from controlplane.clock import Timestamp
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.tables.alerts import alerts
from controlplane.storage.writing import put

# Fingerprints in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500
# Any number that nobody else locks: of rows that are not there yet none can be locked.
_INSERTING: Final = text("SELECT pg_advisory_xact_lock(1634493810)")


class SqlAlerts:
    """Alerts, a row each, by fingerprint."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Alert]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(alerts))
            return [alert_of(row) for row in rows]

    async def find(self, fingerprints: Collection[str]) -> Sequence[Alert]:
        found: list[Alert] = []
        async with self._db.read() as connection:
            for chunk in _chunks(fingerprints):
                wanted = select(alerts).where(alerts.c.fingerprint.in_(chunk))
                found += map(alert_of, await connection.execute(wanted))
        return found

    async def change(
        self, fingerprints: Collection[str], decide: Decide, fence: Fence = OPEN
    ) -> Sequence[Alert]:
        if self._db.is_sqlite:
            changed = decide(None)
            async with self._db.begin() as connection:
                await put(connection, alerts, [alert_row(alert) for alert in changed])
            return changed
        changed_or_new = await self._change(fingerprints, decide, fence, inserting=False)
        if changed_or_new is None:
            changed_or_new = await self._change(fingerprints, decide, fence, inserting=True)
        return changed_or_new or ()

    async def delete(self, fingerprints: Collection[str], *, ended_by: Timestamp) -> None:
        async with self._db.begin() as connection:
            for chunk in _chunks(fingerprints):
                old = (alerts.c.fingerprint.in_(chunk), alerts.c.ends_at <= ended_by)
                # All lock rows in one order, so that no two wait for each other.
                wanted = select(alerts.c.fingerprint).where(*old)
                await connection.execute(wanted.order_by("fingerprint").with_for_update())
                await connection.execute(delete(alerts).where(*old))

    async def _change(
        self, fingerprints: Collection[str], decide: Decide, fence: Fence, *, inserting: bool
    ) -> Sequence[Alert] | None:
        """Write what is decided on the rows as they stand.

        Return None, with nothing written, where some would be new: these are
        written by one replica at a time, which takes its turn before any row.
        """
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            if inserting:
                await connection.execute(_INSERTING)
            kept = await _locked(connection, fingerprints)
            changed = decide(kept)
            if not inserting and any(alert.fingerprint not in kept for alert in changed):
                return None
            await put(connection, alerts, [alert_row(alert) for alert in changed])
            return changed


async def _locked(
    connection: AsyncConnection, fingerprints: Collection[str]
) -> Mapping[str, Alert]:
    kept: dict[str, Alert] = {}
    for chunk in _chunks(fingerprints):
        wanted = select(alerts).where(alerts.c.fingerprint.in_(chunk))
        rows = await connection.execute(wanted.order_by("fingerprint").with_for_update())
        kept.update((row.fingerprint, alert_of(row)) for row in rows)
    return kept


def _chunks(fingerprints: Collection[str]) -> Iterator[list[str]]:
    names = sorted(fingerprints)
    return (names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))


def alert_row(alert: Alert) -> dict[str, Any]:
    """Return an alert as a row, of this table or of the history."""
    return {
        "fingerprint": alert.fingerprint,
        "labels": dict(alert.labels.pairs),
        "annotations": dict(alert.annotations.pairs),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "updated_at": alert.updated_at,
        "timeout": alert.timeout,
        "generator_url": alert.generator_url,
        "correlation_id": alert.correlation_id,
    }


def alert_of(row: Row[Any]) -> Alert:
    """Return the alert of such a row."""
    return Alert(
        labels=Labels(row.labels, fingerprint=row.fingerprint),
        annotations=Labels(row.annotations),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        updated_at=row.updated_at,
        timeout=row.timeout,
        generator_url=row.generator_url,
        correlation_id=row.correlation_id,
    )
