"""Status pages with a host of their own: there, they are all there is."""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.api.problems import answer
from controlplane.errors import NotFound

PREFIX: Final = "/status/"
# What a page needs besides itself.
_STATIC: Final = "/static/"
_BELOW: Final = ("/feed.xml", "/badge/")


class StatusHostMiddleware:
    """Puts the page that has the request's Host for itself at `/`; stands before the guard.

    `at_host` returns the name of that page, or an empty text. Nothing else of
    the service answers under such a host.
    """

    def __init__(self, app: ASGIApp, *, at_host: Callable[[str], str]) -> None:
        self._app = app
        self._at_host = at_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "").partition(":")[0].lower()
        page = self._at_host(host) if host else ""
        if not page:
            await self._app(scope, receive, send)
            return
        path = _path(scope["path"], page)
        if not path:
            missing = answer(scope["path"], NotFound("there is only a status page here"))
            await missing(scope, receive, send)
            return
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send)


def _path(asked: str, page: str) -> str:
    """Return what is served for a path of the host, empty for nothing."""
    own = f"{PREFIX}{page}"
    if asked == "/":
        return own
    if asked == f"/{page}.json":
        return f"{own}.json"
    if asked.startswith(_BELOW):
        return own + asked
    if asked.startswith((_STATIC, f"{own}/")) or asked in (own, f"{own}.json"):
        return asked
    return ""
