"""Incidents and planned maintenance in SQL, a document each.

Implements uptime.ports.IncidentRepository and MaintenanceRepository.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select

from controlplane.errors import Outdated
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.target import Provenance
from controlplane.storage.database import Database
from controlplane.storage.intervals import interval_document, interval_of
from controlplane.storage.tables.status import planned_maintenance, status_incidents
from controlplane.storage.writing import put
from controlplane.uptime.incident import Impact, Incident, Stage, Update
from controlplane.uptime.maintenance import Maintenance


class SqlIncidents:
    """Incidents, each with its updates in one row: they are few, and written by hand."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Incident]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(status_incidents.c.incident))
            return [_incident(row.incident) for row in rows]

    async def find(self, ids: Collection[str]) -> Sequence[Incident]:
        wanted = select(status_incidents.c.incident).where(status_incidents.c.id.in_(ids))
        async with self._db.read() as connection:
            return [_incident(document) for document in await connection.scalars(wanted)]

    async def save(self, incident: Incident, known: Incident | None) -> None:
        row = {
            "id": incident.id,
            "resolved_at": incident.resolved_at,
            "incident": asdict(incident),
        }
        wanted = select(status_incidents.c.incident).where(status_incidents.c.id == incident.id)
        async with self._db.begin() as connection:
            kept = await connection.scalar(wanted.with_for_update())
            if (None if kept is None else _incident(kept)) != known:
                raise Outdated("the incident was changed meanwhile", [incident.id])
            await put(connection, status_incidents, [row])

    async def delete(self, incident_id: str) -> None:
        async with self._db.begin() as connection:
            await connection.execute(
                delete(status_incidents).where(status_incidents.c.id == incident_id)
            )


class SqlMaintenance:
    """Planned maintenance of the API, a row each."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self) -> Sequence[Maintenance]:
        async with self._db.read() as connection:
            rows = await connection.execute(select(planned_maintenance.c.plan))
            return [_plan(row.plan) for row in rows]

    async def find(self, ids: Collection[str]) -> Sequence[Maintenance]:
        wanted = select(planned_maintenance.c.plan).where(planned_maintenance.c.id.in_(ids))
        async with self._db.read() as connection:
            return [_plan(document) for document in await connection.scalars(wanted)]

    async def save(self, plan: Maintenance, known: Maintenance | None) -> None:
        row = {
            "id": plan.id,
            "starts_at": plan.starts_at,
            "ends_at": plan.ends_at,
            "plan": _plan_document(plan),
        }
        wanted = select(planned_maintenance.c.plan).where(planned_maintenance.c.id == plan.id)
        async with self._db.begin() as connection:
            kept = await connection.scalar(wanted.with_for_update())
            if (None if kept is None else _plan(kept)) != known:
                raise Outdated("the maintenance was changed meanwhile", [plan.id])
            await put(connection, planned_maintenance, [row])

    async def delete(self, plan_id: str) -> None:
        gone = delete(planned_maintenance).where(planned_maintenance.c.id == plan_id)
        async with self._db.begin() as connection:
            await connection.execute(gone)


def _incident(document: Mapping[str, Any]) -> Incident:
    plain = dict(document)
    return Incident(
        **plain
        | {
            "impact": Impact(plain["impact"]),
            "pages": tuple(plain["pages"]),
            "services": tuple(plain["services"]),
            "updates": tuple(
                Update(**each | {"stage": Stage(each["stage"])}) for each in plain["updates"]
            ),
        }
    )


def _plan_document(plan: Maintenance) -> dict[str, Any]:
    return {
        "id": plan.id,
        "title": plan.title,
        "text": plan.text,
        "match": [[[m.name, m.op.value, m.value] for m in each] for each in plan.match],
        "starts_at": plan.starts_at,
        "ends_at": plan.ends_at,
        "times": [interval_document(each) for each in plan.times],
        "created_by": plan.created_by,
    }


def _plan(document: Mapping[str, Any]) -> Maintenance:
    plain = dict(document)
    match = tuple(
        tuple(Matcher(name, MatchOp(op), value) for name, op, value in each)
        for each in plain["match"]
    )
    times = tuple(interval_of(each) for each in plain["times"])
    return Maintenance(**plain | {"match": match, "times": times, "provenance": Provenance.API})
