"""The state of rules: implements rules.ports.RuleStateStore."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select

from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.rules.ports import StateChange
from controlplane.rules.state import AlertState, RuleAlert
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.tables.rules import rule_alerts
from controlplane.storage.writing import put

# Ids in one `IN (...)`: below SQLite's limit on parameters.
_CHUNK: Final = 500


class SqlRuleStates:
    """The alerts of rules, a row each, by rule and fingerprint."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self, rule_ids: Collection[str]) -> Mapping[str, Sequence[RuleAlert]]:
        kept: dict[str, list[RuleAlert]] = {}
        async with self._db.read() as connection:
            for chunk in _chunks(rule_ids):
                wanted = select(rule_alerts).where(rule_alerts.c.rule_id.in_(chunk))
                for row in await connection.execute(wanted):
                    kept.setdefault(row.rule_id, []).append(_alert(row))
        return kept

    async def rule_ids(self) -> Collection[str]:
        async with self._db.read() as connection:
            return set(await connection.scalars(select(rule_alerts.c.rule_id).distinct()))

    async def save(self, changes: Sequence[StateChange], fence: Fence = OPEN) -> None:
        stored = [_row(change.rule_id, alert) for change in changes for alert in change.stored]
        forgotten = [
            {"rule": change.rule_id, "name": labels.fingerprint()}
            for change in changes
            for labels in change.forgotten
        ]
        if not stored and not forgotten:
            return
        drop = delete(rule_alerts).where(
            rule_alerts.c.rule_id == bindparam("rule"),
            rule_alerts.c.fingerprint == bindparam("name"),
        )
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            if forgotten:
                await connection.execute(drop, forgotten)
            await put(connection, rule_alerts, stored)

    async def forget(self, rule_ids: Collection[str], fence: Fence = OPEN) -> None:
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            for chunk in _chunks(rule_ids):
                await connection.execute(
                    delete(rule_alerts).where(rule_alerts.c.rule_id.in_(chunk))
                )


def _chunks(rule_ids: Collection[str]) -> Iterator[list[str]]:
    names = list(rule_ids)
    return (names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))


def _row(rule_id: str, alert: RuleAlert) -> dict[str, Any]:
    return {
        "rule_id": rule_id,
        "fingerprint": alert.labels.fingerprint(),
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "value": repr(alert.value),
        "state": alert.state.value,
        "active_at": alert.active_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "keep_firing_since": alert.keep_firing_since,
    }


def _alert(row: Row[Any]) -> RuleAlert:
    return RuleAlert(
        labels=Labels(row.labels),
        annotations=Labels(row.annotations),
        value=float(row.value),
        state=AlertState(row.state),
        active_at=row.active_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        keep_firing_since=row.keep_firing_since,
    )
