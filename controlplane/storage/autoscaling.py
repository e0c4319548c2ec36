"""Autoscaling policies and their decisions: DecisionStore, PolicyRepository of autoscale.ports."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, delete, func, select

from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import Mode
from controlplane.autoscale.owned import Sent
from controlplane.autoscale.sentence import Said, Sentence
from controlplane.model.fence import Fence
from controlplane.storage.database import Database
from controlplane.storage.fencing import check_fence
from controlplane.storage.tables.autoscaling import (
    scaling_decisions,
    scaling_policies,
    scaling_states,
)
from controlplane.storage.writing import add, put


class SqlDecisions:
    """A row for each decision, and one for what each policy says now; a trace is one document."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, decision: Decision, fence: Fence) -> None:
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            await add(connection, scaling_decisions, [_row(decision)])
            if fence:
                await put(connection, scaling_states, [_row(decision)])

    async def renew(self, decision: Decision, fence: Fence) -> None:
        async with self._db.begin() as connection:
            await check_fence(connection, fence)
            await put(connection, scaling_states, [_row(decision)])

    async def current(self, policies: Collection[str] | None = None) -> Sequence[Decision]:
        wanted = select(scaling_states).order_by(scaling_states.c.policy)
        if policies is not None:
            wanted = wanted.where(scaling_states.c.policy.in_(policies))
        async with self._db.read() as connection:
            return [_decision(row) for row in await connection.execute(wanted)]

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
        async with self._db.begin() as connection:
            for rows in (scaling_policies.c.name, scaling_states.c.policy):
                await connection.execute(delete(rows.table).where(rows == name))


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "policy": decision.policy,
        "at": decision.at,
        "mode": decision.mode.value,
        "outcome": decision.outcome.value,
        "current": decision.current,
        "desired": decision.desired,
        "limited_by_max": decision.limited_by_max,
        "trace": _trace(decision),
        "correlation_id": decision.correlation_id,
    }


def _trace(decision: Decision) -> dict[str, Any]:
    """Texts are in English, as rows had them before `sentences` told how each is put together."""
    texts = [*(each.because for each in decision.verdicts), *decision.steps]
    return {
        "verdicts": [
            {
                "metric": each.metric,
                "value": each.value,
                "proposal": each.proposal,
                "verdict": each.verdict,
                "because": str(each.because),
            }
            for each in decision.verdicts
        ],
        "steps": [str(each) for each in decision.steps],
        "sentences": {str(each): _parts(each) for each in texts if isinstance(each, Sentence)},
    }


def _parts(said: Said | int) -> Any:
    if not isinstance(said, Sentence):
        return said
    values = {name: _parts(value) for name, value in said.values.items()}
    return {"template": said.template, "values": values}


def _said(parts: Any) -> Any:
    """Return what `_parts` took apart."""
    if not isinstance(parts, Mapping):
        return parts
    values = {name: _said(value) for name, value in parts["values"].items()}
    return Sentence(parts["template"], values)


def _decision(row: Row[Any]) -> Decision:
    trace = row.trace
    said = {text: _said(parts) for text, parts in trace.get("sentences", {}).items()}
    verdicts = [Verdict(**each) for each in trace["verdicts"]]
    return Decision(
        row.policy,
        row.at,
        Mode(row.mode),
        Outcome(row.outcome),
        row.current,
        row.desired,
        tuple(replace(each, because=said.get(each.because, each.because)) for each in verdicts),
        tuple(said.get(each, each) for each in trace["steps"]),
        row.limited_by_max,
        row.correlation_id,
    )
