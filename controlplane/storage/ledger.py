"""Decisions on alerts: implements alerts.ports.LedgerRepository."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, func, select

from controlplane.alerts.decision import Decision, Kind
from controlplane.model.alert import Alert
from controlplane.storage.alerts import alert_of, alert_row
from controlplane.storage.database import Database
from controlplane.storage.tables.ledger import alert_history, decisions
from controlplane.storage.writing import add, put

# Fingerprints in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500
# An alert whose end nobody told was last known to fire when it was last heard of.
_PAST: Final = (
    *(column for column in alert_history.columns if column.name != "ends_at"),
    func.coalesce(alert_history.c.ends_at, alert_history.c.updated_at).label("ends_at"),
)


class SqlLedger:
    """Decisions, a row each, and the alerts that they are about."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, taken: Sequence[Decision], alerts: Sequence[Alert]) -> None:
        async with self._db.begin() as connection:
            await add(connection, decisions, [_row(decision) for decision in taken])
            await put(connection, alert_history, [_history_row(alert) for alert in alerts])

    async def latest(self, fingerprints: Collection[str]) -> Sequence[Decision]:
        names, found = list(fingerprints), list[Decision]()
        rows = decisions.c
        async with self._db.read() as connection:
            for start in range(0, len(names), _CHUNK):
                newest = (
                    select(func.max(rows.id))
                    .where(rows.fingerprint.in_(names[start : start + _CHUNK]))
                    .group_by(rows.fingerprint, rows.aspect, rows.place)
                )
                wanted = select(decisions).where(rows.id.in_(newest)).order_by(rows.id)
                found += [_decision(row) for row in await connection.execute(wanted)]
        return found

    async def story(self, fingerprint: str, limit: int) -> Sequence[Decision]:
        rows = decisions.c
        wanted = (
            select(decisions)
            .where(rows.fingerprint == fingerprint)
            .order_by(rows.id.desc())
            .limit(limit)
        )
        async with self._db.browse() as connection:
            return [_decision(row) for row in await connection.execute(wanted)][::-1]

    async def alert(self, fingerprint: str) -> Alert | None:
        wanted = select(*_PAST).where(alert_history.c.fingerprint == fingerprint)
        async with self._db.browse() as connection:
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else alert_of(row)

    async def resolved(self, *, after: str, limit: int) -> Sequence[Alert]:
        rows = alert_history.c
        wanted = (
            select(*_PAST)
            .where(rows.fingerprint > after, rows.ends_at.is_not(None))
            .order_by(rows.fingerprint)
            .limit(limit)
        )
        async with self._db.browse() as connection:
            return [alert_of(row) for row in await connection.execute(wanted)]

    async def recent(self, limit: int) -> Sequence[Alert]:
        ended = alert_history.c.ends_at
        newest = ended.desc(), alert_history.c.fingerprint
        wanted = select(*_PAST).where(ended.is_not(None)).order_by(*newest).limit(limit)
        async with self._db.browse() as connection:
            return [alert_of(row) for row in await connection.execute(wanted)]


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "fingerprint": decision.fingerprint,
        "at": decision.at,
        "kind": decision.kind.value,
        "aspect": decision.aspect.value,
        "place": decision.place,
        "detail": dict(decision.detail),
        "correlation_id": decision.correlation_id,
    }


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        row.fingerprint, row.at, Kind(row.kind), row.place, row.detail, row.correlation_id
    )


def _history_row(alert: Alert) -> dict[str, Any]:
    """An alert whose end is still to come has none yet."""
    ended = alert.ends_at <= alert.updated_at
    return alert_row(alert) | {"ends_at": alert.ends_at if ended else None}
