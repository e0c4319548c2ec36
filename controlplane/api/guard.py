"""The guard before every route: who asks, and may they?"""

import asyncio
from base64 import urlsafe_b64decode
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Final
from urllib.parse import parse_qs, quote

from fastapi import Depends
from fastapi import Request as HttpRequest
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.problems import answer
from controlplane.auth import sessions
from controlplane.auth.guard import CSRF_FIELD, CSRF_HEADER, Guard, Request
from controlplane.auth.principals import Principal, PrincipalKind
from controlplane.clock import Clock
from controlplane.errors import ControlPlaneError, DeadlineExceeded, TooLarge, Unauthorized

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
# Pages and files that are open to all too; a status page is for everybody.
_PUBLIC_PREFIXES: Final = ("/static/", "/status/")
LOGIN: Final = "/login"
# A file as those below /static/, of which the login page speaks too: browsers want it at the root.
WORKER: Final = "/sw.js"
# What programs ask is answered with a problem, what browsers open with the login.
PROGRAMS: Final = ("/api/", "/prometheus/", "/alertmanager/", "/v1/", "/metrics", "/probe")
_FORM: Final = "application/x-www-form-urlencoded"
_LARGEST_FORM: Final = 64 << 10
_FORM_SECONDS: Final = 10.0
# Called by services that sign what they send: the route checks that.
_SIGNED: Final = frozenset({"/api/v1/integrations/slack/interactions"})
# POSTs below it change nothing: clients send long queries as forms.
_READS: Final = "/prometheus/api/v1/"
_WRITES: Final = (
    "/prometheus/api/v1/write",
    "/prometheus/api/v1/otlp/",
    "/prometheus/api/v1/admin/",
)
_PRINCIPAL: Final = "controlplane.principal"
# After it stands a token in base64url, without padding.
BEARER_SUBPROTOCOL: Final = "bearer."


class GuardMiddleware:
    """Answers 401 or 403 before any route is looked for; a browser is sent to the login."""

    def __init__(self, app: ASGIApp, *, guard: Guard, clock: Clock) -> None:
        self._app = app
        self._guard = guard
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            headers = Headers(scope=scope)
            token = ""
            if _is_page_form(scope, headers):
                token, receive = await _form_token(receive)
            scope[_PRINCIPAL] = self._guard.admit(_facts(scope, headers, token, self._clock))
        except ControlPlaneError as error:
            await _refusal(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def session_cookie(headers: Headers) -> str:
    """Return the cookie of the session that a browser sends, empty without one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(sessions.COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def principal_of(scope: Scope) -> Principal:
    """Return who asks, of a request that the guard has admitted."""
    principal: Principal = scope[_PRINCIPAL]
    return principal


def actor(request: HttpRequest) -> str:
    """Return the name that stands beside what this request changes."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal.name


# What a route takes that notes who changes something.
Actor = Annotated[str, Depends(actor)]


def sender(request: HttpRequest) -> str:
    """Return for whom what is pushed counts: the principal, at the address it sends from."""
    address = request.client.host if request.client is not None else ""
    return f"{actor(request)}@{address}"


def is_anonymous(request: HttpRequest) -> bool:
    """Tell whether the path is open to all and a token is set: nobody knows who asks."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal.kind is PrincipalKind.ANONYMOUS


def _facts(scope: Scope, headers: Headers, token: str, clock: Clock) -> Request:
    path: str = scope["path"]
    return Request(
        method=_method(scope),
        headers=dict(headers) | _offered_token(scope, headers),
        client=(scope.get("client") or ("",))[0],
        public=path in _PUBLIC or path in (LOGIN, WORKER) or path.startswith(_PUBLIC_PREFIXES),
        signed=path in _SIGNED,
        reads=path.startswith(_READS) and not path.startswith(_WRITES),
        csrf_token=token,
        session=session_cookie(headers),
        now=clock.now(),
    )


def _method(scope: Scope) -> str:
    """Return the method; a WebSocket begins with a GET, and its scope has none."""
    method: str = scope.get("method", "GET")
    return method


def _offered_token(scope: Scope, headers: Headers) -> dict[str, str]:
    """Return the token that a WebSocket offers as a subprotocol: pages can set no header there."""
    if scope["type"] != "websocket" or "authorization" in headers:
        return {}
    offered = (each for each in scope["subprotocols"] if each.startswith(BEARER_SUBPROTOCOL))
    encoded = next(offered, "").removeprefix(BEARER_SUBPROTOCOL)
    if not encoded:
        return {}
    try:
        token = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        token = ""
    return {"authorization": f"Bearer {token}"}


def _is_page_form(scope: Scope, headers: Headers) -> bool:
    """Tell whether this is a form of our pages, which brings its token as a field."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        _method(scope) == "POST"
        and media_type == _FORM
        and CSRF_HEADER not in headers
        and not scope["path"].startswith(PROGRAMS)
    )


async def _form_token(receive: Receive) -> tuple[str, Receive]:
    """Return the token in a form, and what gives the form to the route once more."""
    messages: list[Message] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            while more:
                message = await receive()
                messages.append(message)
                size += len(message.get("body", b""))
                more = message["type"] == "http.request" and message.get("more_body", False)
                if size > _LARGEST_FORM:
                    raise TooLarge(f"a form has at most {_LARGEST_FORM} bytes")
    except TimeoutError:
        raise DeadlineExceeded(f"the form did not arrive within {_FORM_SECONDS:g} s") from None
    body = b"".join(message.get("body", b"") for message in messages)
    fields = parse_qs(body.decode(errors="replace"))
    left = iter(messages)

    async def again() -> Message:
        return next(left, None) or await receive()

    return fields.get(CSRF_FIELD, [""])[0], again


def _refusal(scope: Scope, error: ControlPlaneError) -> ASGIApp:
    path: str = scope["path"]
    if isinstance(error, Unauthorized) and not path.startswith(PROGRAMS):
        accepts = Headers(scope=scope).get("accept", "")
        if "text/html" in accepts:
            wanted = quote(path if _method(scope) in ("GET", "HEAD") else "/", safe="/")
            return RedirectResponse(f"{LOGIN}?next={wanted}", status_code=303)
    return answer(path, error)
