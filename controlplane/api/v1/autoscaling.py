"""`/api/v1/autoscaling`: policies, how many replicas there should be, why, what would have been."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from controlplane.api.bodies import read_object, takes_json
from controlplane.api.guard import Actor
from controlplane.api.responses import BODY, problems
from controlplane.api.surface import On
from controlplane.api.v1.autoscaling_schemas import (
    DecisionOut,
    DesiredOut,
    ReplayGiven,
    ReplayOut,
    ReplaysOut,
    ScalingPolicyOut,
    ScalingSpecOut,
)
from controlplane.api.v1.cursor import decode_row_id, encode_cursor
from controlplane.api.v1.filters import PageFilter
from controlplane.api.v1.merge_patch import MERGE_PATCH, merge_patch
from controlplane.api.v1.schemas import Page
from controlplane.autoscale.replay import gather, replay

router = APIRouter(prefix="/api/v1/autoscaling", tags=["autoscaling"], responses=problems())

_POLICY = {"type": "object", "description": "As a policy of `autoscaling` in the file."}


@router.get("")
async def list_policies(on: On) -> Page[ScalingPolicyOut]:
    """List the policies, the file's first, each with its last decision."""
    scaler = on.autoscaler
    return Page(
        items=[
            ScalingPolicyOut.of(each, scaler.decision(each.policy.name))
            for each in on.scaling_policies
        ]
    )


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": ScalingSpecOut, "description": "It was there and is replaced"},
        **problems(409, *BODY),
    },
    dependencies=[Depends(takes_json)],
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _POLICY}}}
    },
)
async def put(request: Request, response: Response, on: On, by: Actor) -> ScalingSpecOut:
    """Have a policy, or replace all that its name said before. It is in force at once."""
    document = await read_object(request)
    owned, created = await on.scaling_policies.put(document, actor=by, now=on.clock.now())
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/api/v1/autoscaling/{owned.policy.name}/spec"
    return ScalingSpecOut.of(owned)


@router.patch(
    "/{policy}",
    responses=problems(404, 409, *BODY),
    dependencies=[Depends(takes_json)],
    openapi_extra=MERGE_PATCH,
)
async def change(policy: str, request: Request, on: On, by: Actor) -> ScalingSpecOut:
    """Change parts of a policy by JSON merge patch (RFC 7396); lists are replaced whole."""
    patch = await read_object(request)
    owned = await on.scaling_policies.change(
        policy, lambda document: merge_patch(document, patch), actor=by, now=on.clock.now()
    )
    return ScalingSpecOut.of(owned)


@router.delete("/{policy}", status_code=204, responses=problems(404, 409))
async def delete(policy: str, on: On) -> Response:
    """Have a policy no more; what it decided stays."""
    await on.scaling_policies.delete(policy)
    return Response(status_code=204)


@router.get("/{policy}/spec", responses=problems(404))
async def spec(policy: str, on: On) -> ScalingSpecOut:
    """Return a policy as the file would have it, secrets struck out, and who owns it."""
    return ScalingSpecOut.of(on.scaling_policies.get(policy))


@router.get("/{policy}", responses=problems(404, 409))
async def desired(policy: str, on: On) -> DesiredOut:
    """Return how many replicas there should be; 409 in shadow mode, 503 while nobody can tell."""
    found = on.autoscaler.policy(policy)
    number, decision = on.autoscaler.desired(policy)
    return DesiredOut(
        policy=policy,
        desired=number,
        current=decision.current,
        min_replicas=found.min_replicas,
        max_replicas=found.max_replicas,
        outcome=decision.outcome,
        at=decision.at,
    )


@router.get("/{policy}/decisions", responses=problems(404))
async def list_decisions(
    policy: str, on: On, given: Annotated[PageFilter, Query()]
) -> Page[DecisionOut]:
    """List what a policy decided, the newest first: changes, not repeats."""
    found = await on.autoscaler.decisions(
        policy, before=decode_row_id(given.cursor), limit=given.limit + 1
    )
    shown = found[: given.limit]
    more = encode_cursor(str(shown[-1][0])) if len(found) > given.limit else None
    return Page(items=[DecisionOut.of(each) for _, each in shown], next_cursor=more)


@router.get("/{policy}/replay", responses=problems(404))
async def show_replay(policy: str, on: On, given: Annotated[ReplayGiven, Query()]) -> ReplaysOut:
    """Return what a policy would have done over stored history, beside what happened."""
    names = [policy] if given.against is None else [policy, given.against]
    policies = [on.autoscaler.policy(name) for name in names]
    end = on.clock.now()
    replays = []
    for each in policies:
        history = await gather(each, on.scaling_history, end - given.since, end)
        replays.append(ReplayOut.of(await on.queries.run(partial(replay, each, history))))
    return ReplaysOut(replays=replays)
