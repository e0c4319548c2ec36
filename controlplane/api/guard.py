"""The guard before every route: who asks, and may they?"""

from typing import Final

from fastapi import Request as HttpRequest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.api.problems import answer
from controlplane.auth.guard import Guard, Request
from controlplane.auth.principals import Principal, PrincipalKind
from controlplane.errors import ControlPlaneError

# Open to all: what a load balancer asks.
_PUBLIC: Final = frozenset(
    {
        "/health",
        "/ready",
        "/-/healthy",
        "/-/ready",
        "/alertmanager/-/healthy",
        "/alertmanager/-/ready",
    }
)
# POSTs below it change nothing: clients send long queries as forms.
_READS: Final = "/prometheus/api/v1/"
_WRITES: Final = (
    "/prometheus/api/v1/write",
    "/prometheus/api/v1/otlp/",
    "/prometheus/api/v1/admin/",
)
_PRINCIPAL: Final = "controlplane.principal"


class GuardMiddleware:
    """Answers 401 or 403 before any route is looked for."""

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope[_PRINCIPAL] = self._guard.admit(_facts(scope))
        except ControlPlaneError as error:
            await answer(scope["path"], error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def actor(request: HttpRequest) -> str:
    """Return the name that stands beside what this request changes."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal.name


def sender(request: HttpRequest) -> str:
    """Return for whom what is pushed counts: the principal, at the address it sends from."""
    address = request.client.host if request.client is not None else ""
    return f"{actor(request)}@{address}"


def is_anonymous(request: HttpRequest) -> bool:
    """Tell whether the path is open to all and a token is set: nobody knows who asks."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal.kind is PrincipalKind.ANONYMOUS


def _facts(scope: Scope) -> Request:
    path: str = scope["path"]
    return Request(
        method=scope["method"],
        headers=dict(Headers(scope=scope)),
        client=(scope.get("client") or ("",))[0],
        public=path in _PUBLIC,
        reads=path.startswith(_READS) and not path.startswith(_WRITES),
    )
