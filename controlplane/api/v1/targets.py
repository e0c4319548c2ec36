"""`/api/v1/targets`: register, list, change, renew, delete, and why a probe failed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from controlplane.api.bodies import read_object, refused, takes_json
from controlplane.api.guard import Actor
from controlplane.api.responses import BODY, problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.filters import TargetFilter
from controlplane.api.v1.merge_patch import MERGE_PATCH, merge_patch
from controlplane.api.v1.schemas import (
    FailureOut,
    Page,
    TargetIn,
    TargetOut,
    TargetPatched,
)
from controlplane.errors import InvalidInput
from controlplane.model.target import Target
from controlplane.targets.registry import Edit

router = APIRouter(prefix="/api/v1/targets", tags=["targets"], responses=problems())


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": TargetOut, "description": "It was there and is replaced"},
        **problems(409, *BODY),
    },
    dependencies=[Depends(takes_json)],
)
async def register(given: TargetIn, response: Response, on: On) -> TargetOut:
    """Register a target, or replace all that its name said before; this renews the lease."""
    target, created = await on.targets.register(given.to_spec(), on.clock.now())
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/api/v1/targets/{target.id}"
    return _out(on, target)


@router.get("")
async def list_targets(on: On, given: Annotated[TargetFilter, Query()]) -> Page[TargetOut]:
    """List targets by name. Repeated `match[]` selectors over labels are alternatives."""
    found = on.targets.find(given.to_query())
    items = [TargetOut.of(target, state) for target, state in found.items]
    return Page(items=items, next_cursor=found.next_cursor)


@router.get("/{target_id}", responses=problems(404))
async def show(target_id: str, on: On) -> TargetOut:
    """Return one target."""
    return _out(on, on.targets.get(target_id))


@router.patch(
    "/{target_id}",
    responses=problems(404, 409, *BODY),
    dependencies=[Depends(takes_json)],
    openapi_extra=MERGE_PATCH,
)
async def change(target_id: str, request: Request, on: On, by: Actor) -> TargetOut:
    """Change parts of a target by JSON merge patch (RFC 7396).

    `paused` and `label_overrides` are the operator's: they survive a new
    registration and may be set on targets that a file owns.
    """
    patch = await read_object(request)
    target = await on.targets.update(
        target_id, lambda edit: _patched(edit, patch), actor=by, now=on.clock.now()
    )
    return _out(on, target)


@router.delete("/{target_id}", status_code=204, responses=problems(404, 409))
async def delete(target_id: str, on: On) -> Response:
    """Remove a target: its series end, its alerts resolve."""
    await on.targets.delete(target_id)
    return Response(status_code=204)


@router.post("/{target_id}/renew", responses=problems(404))
async def renew(target_id: str, on: On) -> TargetOut:
    """Renew the lease: it runs from now."""
    return _out(on, await on.targets.renew(target_id, on.clock.now()))


@router.get("/{target_id}/failures", responses=problems(404))
async def failures(target_id: str, on: On) -> Page[FailureOut]:
    """Return the last failed probes with what was seen, the newest first."""
    on.targets.get(target_id)
    found = await on.failures.list(target_id)
    items = [
        FailureOut(time=each.at, reason=each.reason, evidence=dict(each.evidence)) for each in found
    ]
    return Page(items=items)


def _out(on: Surface, target: Target) -> TargetOut:
    return TargetOut.of(target, on.targets.state(target))


def _patched(edit: Edit, patch: dict[str, Any]) -> Edit:
    current = TargetPatched.of(edit).model_dump(mode="json")
    try:
        merged = TargetPatched.model_validate(merge_patch(current, patch))
    except ValidationError as error:
        raise refused(error) from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply") from None
    return Edit(merged.to_spec(), merged.paused, merged.label_overrides)
