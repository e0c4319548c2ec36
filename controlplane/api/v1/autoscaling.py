"""`/api/v1/autoscaling`: how many replicas there should be, why, and what would have been."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from controlplane.api.responses import problems
from controlplane.api.surface import Surface, surface
from controlplane.api.v1.autoscaling_schemas import (
    DecisionOut,
    DesiredOut,
    ReplayGiven,
    ReplayOut,
    ReplaysOut,
    ScalingPolicyOut,
)
from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.api.v1.filters import PageFilter
from controlplane.api.v1.schemas import Page
from controlplane.autoscale.options import Policy
from controlplane.autoscale.replay import gather, replay
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput

router = APIRouter(prefix="/api/v1/autoscaling", tags=["autoscaling"], responses=problems())

On = Annotated[Surface, Depends(surface)]


@router.get("")
async def list_policies(on: On) -> Page[ScalingPolicyOut]:
    """List the policies in the order of the file, each with its last decision."""
    scaler = on.autoscaler
    return Page(
        items=[ScalingPolicyOut.of(each, scaler.decision(each.name)) for each in scaler.policies()]
    )


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
        policy, before=_before(given.cursor), limit=given.limit + 1
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
    work = partial(_replays, on, policies, end - given.since, end)
    return ReplaysOut(replays=await on.queries.run(work))


def _replays(
    on: Surface, policies: list[Policy], start: Timestamp, end: Timestamp
) -> list[ReplayOut]:
    return [
        ReplayOut.of(replay(each, gather(each, on.engine.range, start, end))) for each in policies
    ]


def _before(cursor: str | None) -> int | None:
    key = decode_cursor(cursor)
    if key is None:
        return None
    if not key.isdecimal() or len(key) > 18:
        raise InvalidInput("not a cursor of this list: begin again without one", pointer="?cursor")
    return int(key)
