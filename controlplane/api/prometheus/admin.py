"""`/prometheus/api/v1/admin/tsdb/*`: deleting samples, where an operator allowed it."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from controlplane.api.guard import Actor
from controlplane.api.prometheus.parameters import Given
from controlplane.api.selectors import PARAMETER, selectors
from controlplane.api.surface import On, Surface
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Deleter

log = get_logger(__name__)

router = APIRouter(prefix="/prometheus/api/v1/admin/tsdb", tags=["prometheus"])


# Beyond all instants that a store holds.
_FURTHEST: Final[Timestamp] = 2**53


@router.post("/delete_series", status_code=204)
@router.put("/delete_series", status_code=204)
async def delete_series(given: Given, on: On, by: Actor) -> Response:
    """Delete the samples from `start` to `end` of the series that match any selector."""
    deleter, chosen = _allowed(on), selectors(given.all(PARAMETER))
    if not chosen:
        raise InvalidInput("no match[] parameter provided", pointer=f"?{PARAMETER}")
    start, end = given.time("start", -_FURTHEST), given.time("end", _FURTHEST)

    def delete() -> None:
        for matchers in chosen:
            deleter.delete(matchers, start, end)

    await on.intake.run(delete)
    log.info("series deleted", by=by, match=given.all(PARAMETER), start=start, end=end)
    return Response(status_code=204)


@router.post("/clean_tombstones", status_code=204)
@router.put("/clean_tombstones", status_code=204)
async def clean_tombstones(on: On) -> Response:
    """Free the space of what was deleted."""
    await on.intake.run(_allowed(on).clean_tombstones)
    return Response(status_code=204)


def _allowed(on: Surface) -> Deleter:
    if on.deleter is None:
        raise HTTPException(503, "admin APIs disabled")
    return on.deleter
