"""`/api/v1/incidents`: what people tell the readers of status pages."""

from typing import Final

from fastapi import APIRouter, Depends, Response

from controlplane.api.bodies import takes_json
from controlplane.api.guard import Actor
from controlplane.api.responses import BODY, problems
from controlplane.api.surface import On
from controlplane.api.v1.schemas import Page
from controlplane.api.v1.uptime_schemas import IncidentIn, IncidentOut, UpdateIn

router = APIRouter(tags=["status pages"], responses=problems())


_INCIDENTS: Final = "/api/v1/incidents"


@router.post(
    _INCIDENTS, status_code=201, responses=problems(*BODY), dependencies=[Depends(takes_json)]
)
async def begin(given: IncidentIn, response: Response, on: On, by: Actor) -> IncidentOut:
    """Begin an incident; it is public at once."""
    incident = await on.incidents.open(
        given.title,
        given.text,
        by=by,
        impact=given.impact,
        pages=given.pages,
        services=given.services,
        stage=given.stage,
    )
    response.headers["Location"] = f"{_INCIDENTS}/{incident.id}"
    return IncidentOut.of(incident)


@router.get(_INCIDENTS)
async def list_incidents(on: On) -> Page[IncidentOut]:
    """List all incidents that are kept, the newest first."""
    return Page(items=[IncidentOut.of(each) for each in on.incidents.list()])


@router.get(f"{_INCIDENTS}/{{incident_id}}", responses=problems(404))
async def show(incident_id: str, on: On) -> IncidentOut:
    """Return one incident."""
    return IncidentOut.of(on.incidents.get(incident_id))


@router.post(
    f"{_INCIDENTS}/{{incident_id}}/updates",
    status_code=201,
    responses=problems(404, *BODY),
    dependencies=[Depends(takes_json)],
)
async def update(incident_id: str, given: UpdateIn, on: On, by: Actor) -> IncidentOut:
    """Tell what is known now, or that it is over."""
    incident = await on.incidents.update(
        incident_id, given.text, by=by, stage=given.stage, impact=given.impact
    )
    return IncidentOut.of(incident)


@router.delete(f"{_INCIDENTS}/{{incident_id}}", status_code=204, responses=problems(404))
async def delete(incident_id: str, on: On) -> Response:
    """Remove an incident that should not have been written; one that is over is resolved."""
    await on.incidents.delete(incident_id)
    return Response(status_code=204)
