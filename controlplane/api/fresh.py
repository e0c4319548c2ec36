"""Before a request is answered, what other replicas changed is known here.

Whoever deletes a target at one replica and asks the next one for it must not be
shown it. Changes wait as well: they are made to something that was just added
at another replica, or must not be made to what is gone.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.api.guard import LOGIN, PROGRAMS

# Answered from what replicas mirror; all else that programs ask is not.
_MIRRORED: Final = (
    "/api/v1/",
    "/alertmanager/",
    "/prometheus/api/v1/rules",
    "/prometheus/api/v1/alerts",
    "/prometheus/api/v1/targets",
)
# Of these and the pages, what shows nothing that is mirrored.
_APART: Final = (
    "/api/v1/stream",
    "/api/v1/openapi.json",
    "/alertmanager/-/",
    "/static/",
    "/sw.js",
    "/health",
    "/ready",
    "/-/",
    LOGIN,
)
# Alerts are pushed all the time, and merged with what is kept when they are written.
_PUSHED: Final = "/alertmanager/api/v2/alerts"


async def at_once() -> None:
    """Wait for nothing: there is one replica."""


class FreshMiddleware:
    """Has requests that show, or change, what is mirrored wait for `fresh`."""

    def __init__(self, app: ASGIApp, *, fresh: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._fresh = fresh

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_mirrored(scope["method"], scope["path"]):
            await self._fresh()
        await self._app(scope, receive, send)


def is_mirrored(method: str, path: str) -> bool:
    """Tell whether a request is answered from what replicas mirror: the API's lists, all pages."""
    if path.startswith(_APART) or (method == "POST" and path == _PUSHED):
        return False
    return path.startswith(_MIRRORED) or not path.startswith(PROGRAMS)
