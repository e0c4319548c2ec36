"""Autoscaling policies and their decisions: DecisionStore, PolicyRepository of autoscale.ports."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select

from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import Mode
from controlplane.autoscale.owned import Sent
from controlplane.model.fence import Fence
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.tables.autoscaling import scaling_decisions, scaling_policies
from controlplane.storage.writing import add, put


class SqlDecisions:
    """A row for each decision; its trace is one document."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, decision: Decision, fence: Fence) -> None:
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            await add(connection, scaling_decisions, [_row(decision)])

    async def confirm(self, fence: Fence) -> None:
        if fence:
            async with self._db.begin() as connection:
                await check_fence(connection, fence)

    async def latest(self) -> Sequence[Decision]:
        rows = scaling_decisions.c
        newest = select(func.max(rows.id)).group_by(rows.policy)
        wanted = select(scaling_decisions).where(rows.id.in_(newest)).order_by(rows.policy)
        async with self._db.read() as connection:
            return [_decision(row) for row in await connection.execute(wanted)]

    async def list(
        self, policy: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, Decision]]:
        rows = scaling_decisions.c
        wanted = select(scaling_decisions).where(rows.policy == policy)
        if before is not None:
            wanted = wanted.where(rows.id < before)
        wanted = wanted.order_by(rows.id.desc()).limit(limit)
        async with self._db.browse() as connection:
            return [(row.id, _decision(row)) for row in await connection.execute(wanted)]


class SqlPolicies:
    """What the API was sent, a row for each policy."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Sent]:
        wanted = select(scaling_policies).order_by(scaling_policies.c.name)
        async with self._db.read() as connection:
            return [
                Sent(row.name, row.document, row.created_at, row.updated_at, row.actor)
                for row in await connection.execute(wanted)
            ]

    async def save(self, sent: Sent) -> None:
        row = {
            "name": sent.name,
            "document": dict(sent.document),
            "created_at": sent.created_at,
            "updated_at": sent.updated_at,
            "actor": sent.actor,
        }
        async with self._db.begin() as connection:
            await put(connection, scaling_policies, [row])

    async def delete(self, name: str) -> None:
        gone = delete(scaling_policies).where(scaling_policies.c.name == name)
        async with self._db.begin() as connection:
            await connection.execute(gone)


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "policy": decision.policy,
        "at": decision.at,
        "mode": decision.mode.value,
        "outcome": decision.outcome.value,
        "current": decision.current,
        "desired": decision.desired,
        "limited_by_max": decision.limited_by_max,
        "trace": {
            "verdicts": [
                {
                    "metric": each.metric,
                    "value": each.value,
                    "proposal": each.proposal,
                    "verdict": each.verdict,
                    "because": each.because,
                }
                for each in decision.verdicts
            ],
            "steps": list(decision.steps),
        },
        "correlation_id": decision.correlation_id,
    }


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        row.policy,
        row.at,
        Mode(row.mode),
        Outcome(row.outcome),
        row.current,
        row.desired,
        tuple(Verdict(**each) for each in row.trace["verdicts"]),
        tuple(row.trace["steps"]),
        row.limited_by_max,
        row.correlation_id,
    )
