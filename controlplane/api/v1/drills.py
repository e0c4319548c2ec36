"""`/api/v1/drills`: the fire drills of the file, how they went, and one right now."""

from fastapi import APIRouter

from controlplane.api.responses import problems
from controlplane.api.surface import On
from controlplane.api.v1.receiver_schemas import DrillOut
from controlplane.api.v1.schemas import Page

router = APIRouter(prefix="/api/v1/drills", tags=["receivers"], responses=problems())


@router.get("")
async def list_drills(on: On) -> Page[DrillOut]:
    """List the drills in the order of the file, each with its last run."""
    return Page(items=[DrillOut.of(status) for status in on.trying.drills.statuses()])


@router.post("/{name}/run", status_code=202, responses=problems(404, 409))
async def run(name: str, on: On) -> DrillOut:
    """Begin a drill now; 409 while it is under way."""
    return DrillOut.of(await on.trying.drills.begin(name))
