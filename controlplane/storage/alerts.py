"""The active alerts' rows: implements alerts.ports.AlertRepository."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, delete, select

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.storage.database import Database
from controlplane.storage.tables.alerts import alerts
from controlplane.storage.writing import put

# Fingerprints in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500


class SqlAlerts:
    """Alerts, a row each, by fingerprint."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Alert]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(alerts))
            return [alert_of(row) for row in rows]

    async def save(self, changed: Sequence[Alert]) -> None:
        if not changed:
            return
        rows = [alert_row(alert) for alert in changed]
        async with self._db.begin() as connection:
            await put(connection, alerts, rows)

    async def delete(self, fingerprints: Collection[str]) -> None:
        names = list(fingerprints)
        async with self._db.begin() as connection:
            for start in range(0, len(names), _CHUNK):
                chunk = names[start : start + _CHUNK]
                await connection.execute(delete(alerts).where(alerts.c.fingerprint.in_(chunk)))


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
