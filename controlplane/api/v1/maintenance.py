"""`/api/v1/maintenance`: time that is planned to be down, and does not count."""

from typing import Final

from fastapi import APIRouter, Depends, Response

from controlplane.api.bodies import takes_json
from controlplane.api.guard import Actor
from controlplane.api.responses import BODY, problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.schemas import Page
from controlplane.api.v1.uptime_schemas import MaintenanceIn, MaintenanceOut
from controlplane.uptime.maintenance import Maintenance

router = APIRouter(tags=["status pages"], responses=problems())


_MAINTENANCE: Final = "/api/v1/maintenance"


@router.post(
    _MAINTENANCE, status_code=201, responses=problems(*BODY), dependencies=[Depends(takes_json)]
)
async def plan(given: MaintenanceIn, response: Response, on: On, by: Actor) -> MaintenanceOut:
    """Plan maintenance. It begins now unless `starts_at` says otherwise.

    Time that has passed stays as it was counted; alerts are kept quiet by
    silences, not by this.
    """
    kept = await on.maintenance.add(given.to_plan(by, on.clock.now()))
    response.headers["Location"] = f"{_MAINTENANCE}/{kept.id}"
    return _out(on, kept)


@router.get(_MAINTENANCE)
async def list_maintenance(on: On) -> Page[MaintenanceOut]:
    """List all plans, those that begin first first, the file's among them."""
    return Page(items=[_out(on, each) for each in on.maintenance])


@router.get(f"{_MAINTENANCE}/{{plan_id}}", responses=problems(404))
async def show(plan_id: str, on: On) -> MaintenanceOut:
    """Return one plan."""
    return _out(on, on.maintenance.get(plan_id))


@router.delete(f"{_MAINTENANCE}/{{plan_id}}", status_code=204, responses=problems(404, 409))
async def end(plan_id: str, on: On) -> Response:
    """End a plan now; one that has not begun is dropped."""
    await on.maintenance.end(plan_id)
    return Response(status_code=204)


def _out(on: Surface, plan: Maintenance) -> MaintenanceOut:
    return MaintenanceOut.of(plan, len(on.maintenance.selected(plan)), on.clock.now())
