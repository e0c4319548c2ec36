"""Where links in messages lead as long as there is no page for them: to the same as JSON."""

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse

from controlplane.model import links

router = APIRouter(include_in_schema=False, tags=["pages"])

_QUERY: Final = "/prometheus/api/v1/query"


@router.get(links.ALERTS)
async def alerts() -> RedirectResponse:
    """Lead to the list of alerts."""
    return RedirectResponse("/api/v1/alerts")


@router.get(links.ALERTS + "/{fingerprint}")
async def alert(fingerprint: str) -> RedirectResponse:
    """Lead to the story of an alert."""
    return RedirectResponse(f"/api/v1/alerts/{quote(fingerprint, safe='')}/story")


@router.get(links.QUERY)
async def query(
    expr: Annotated[str, Query(alias=links.EXPR)] = "",
    end: Annotated[str, Query(alias=links.END)] = "",
) -> RedirectResponse:
    """Lead to what an expression gives, now or at an instant."""
    time = f"&time={quote(end, safe='')}" if end else ""
    return RedirectResponse(f"{_QUERY}?query={quote(expr, safe='')}{time}")


@router.get(links.NEW_SILENCE)
async def new_silence() -> RedirectResponse:
    """Lead to the silences."""
    return RedirectResponse("/api/v1/silences")
