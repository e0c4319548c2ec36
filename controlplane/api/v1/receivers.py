"""`/api/v1/receivers`: whom alerts are told to, how that goes, and a test that they can be told."""

from typing import Annotated

from fastapi import APIRouter, Query

from controlplane.api.responses import problems
from controlplane.api.surface import On, Surface
from controlplane.api.v1.cursor import decode_cursor, encode_cursor
from controlplane.api.v1.filters import PageFilter
from controlplane.api.v1.receiver_schemas import ReceiverOut, TestOut
from controlplane.api.v1.schemas import Page
from controlplane.errors import NotFound

router = APIRouter(prefix="/api/v1/receivers", tags=["receivers"], responses=problems())


@router.get("")
async def list_receivers(on: On, given: Annotated[PageFilter, Query()]) -> Page[ReceiverOut]:
    """List the receivers by name, with how each of their integrations fares."""
    after = decode_cursor(given.cursor) or ""
    names = sorted(name for name in on.receivers() if name > after)
    shown = names[: given.limit]
    health = await on.trying.health.of(shown)
    return Page(
        items=[ReceiverOut.of(name, health[name]) for name in shown],
        next_cursor=encode_cursor(shown[-1]) if len(names) > given.limit else None,
    )


@router.get("/{name:path}", responses=problems(404))
async def show(name: str, on: On) -> ReceiverOut:
    """Return one receiver."""
    _check(on, name)
    return ReceiverOut.of(name, (await on.trying.health.of([name]))[name])


@router.post("/{name:path}/test", responses=problems(404, 429))
async def test(name: str, on: On) -> TestOut:
    """Tell each integration of a receiver that a made-up alert fires, and at once that it ended.

    200 says that it was tried; `delivered` whether it arrived.
    """
    _check(on, name)
    return TestOut.of(name, await on.trying.tests.test(name))


def _check(on: Surface, name: str) -> None:
    if name not in on.receivers():
        raise NotFound(f"there is no receiver {name!r}")
