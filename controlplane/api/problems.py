"""The one place that turns an error into an answer.

Ours are RFC 9457 problems with a stable `type`; the compatible APIs keep the
shape of the program they speak for. Nothing internal is shown: an error that
is none of ours is logged with its correlation id and answered as `internal`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Router

from controlplane.errors import (
    ConfigError,
    Conflict,
    ControlPlaneError,
    DeadlineExceeded,
    Forbidden,
    InvalidFields,
    InvalidInput,
    NotFound,
    Overloaded,
    ParseError,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from controlplane.promql.errors import QueryCanceled
from controlplane.telemetry.correlation import correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

PROMETHEUS_PREFIX: Final = "/prometheus/"
ALERTMANAGER_PREFIX: Final = "/alertmanager/"
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one branch of the error tree is answered; `upstream` is Prometheus' errorType."""

    status: int
    slug: str
    title: str
    upstream: str


# The most specific class comes first; `errors.py` draws the tree.
_KINDS: Final[Sequence[tuple[type[ControlPlaneError], Kind]]] = (
    (ConfigError, Kind(422, "invalid-config", "The configuration cannot be used", "bad_data")),
    (ParseError, Kind(422, "parse-error", "The expression cannot be parsed", "bad_data")),
    (InvalidInput, Kind(422, "invalid-input", "The request cannot be used", "bad_data")),
    (NotFound, Kind(404, "not-found", "There is no such thing", "not_found")),
    (Conflict, Kind(409, "conflict", "The request conflicts with what is there", "execution")),
    (Unauthorized, Kind(401, "unauthorized", "A valid token is needed", "unauthorized")),
    (Forbidden, Kind(403, "forbidden", "The request is refused", "forbidden")),
    (TooLarge, Kind(413, "too-large", "The request is too large", "bad_data")),
    (Overloaded, Kind(503, "overloaded", "Too busy, try again later", "unavailable")),
    (Throttled, Kind(429, "too-many-requests", "Asked for too often", "unavailable")),
    (Unavailable, Kind(503, "unavailable", "A dependency does not answer", "unavailable")),
    (DeadlineExceeded, Kind(503, "timeout", "The request took too long", "timeout")),
    (QueryCanceled, Kind(499, "canceled", "Whoever asked has gone", "canceled")),
    (ControlPlaneError, Kind(422, "failed", "The request failed", "execution")),
)
_INTERNAL: Final = Kind(500, "internal", "Something went wrong on our side", "internal")
_HTTP: Final[Mapping[int, Kind]] = {
    400: Kind(400, "bad-request", "The request is malformed", "bad_data"),
    404: Kind(404, "not-found", "There is no such thing", "not_found"),
    405: Kind(405, "method-not-allowed", "This method is not allowed here", "bad_data"),
    408: Kind(408, "slow-request", "The request came too slowly", "timeout"),
    415: Kind(415, "unsupported-media-type", "This type of body is not taken", "bad_data"),
    503: Kind(503, "disabled", "This is not served here", "unavailable"),
}
_UNREADABLE: Final = "the body is not JSON"


def kind_of(error: ControlPlaneError) -> Kind:
    """Return how an error of ours is answered."""
    return next(kind for cls, kind in _KINDS if isinstance(error, cls))


def answer(path: str, error: ControlPlaneError) -> Response:
    """Return the answer for an error of ours, in the shape that `path` speaks."""
    kind = kind_of(error)
    headers = {}
    if isinstance(error, Overloaded | Throttled):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if type(error) is Unavailable:
        # Its words name hosts and files of ours.
        log.warning("a dependency does not answer", path=path, reason=str(error))
        return render(path, kind, "a dependency does not answer; the log says which", (), headers)
    return render(path, kind, str(error), _places(error), headers)


def answer_status(path: str, status: int, detail: str) -> Response:
    """Return the answer for a status that no error of ours stands for."""
    return render(path, _HTTP[status], detail)


def render(
    path: str,
    kind: Kind,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem, Prometheus' envelope below `/prometheus/`, Alertmanager's words below its.

    Alertmanager tells what is wrong with what it was told, and what is wrong
    with itself, as a bare text; what never reached it comes with a code.
    """
    status = 400 if kind.status == 422 and kind.upstream == "bad_data" else kind.status
    if path.startswith(ALERTMANAGER_PREFIX):
        bare = status == 400 or status >= 500
        said = detail if bare else {"code": status, "message": detail}
        return _json(said, status, "application/json", headers)
    if path.startswith(PROMETHEUS_PREFIX):
        body: dict[str, Any] = {"status": "error", "errorType": kind.upstream, "error": detail}
        return _json(body, status, "application/json", headers)
    problem: dict[str, Any] = {
        "type": f"urn:controlplane:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "correlation_id": correlation_id(),
        "errors": list(errors),
    }
    return _json(problem, kind.status, MEDIA_TYPE, headers)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, ControlPlaneError)  # noqa: S101 - registered for it alone
    return answer(request.url.path, error)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer input that the schema refuses, naming each place."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    details = [_place(entry) for entry in error.errors()]
    summary = "; ".join(f"{entry['pointer'] or 'body'}: {entry['detail']}" for entry in details)
    return render(request.url.path, kind_of(InvalidInput(summary)), summary, details)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework refused before any of our code ran."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    path = request.url.path
    if error.status_code == 404:
        return render(path, _HTTP[404], "nothing is served at this path")
    if error.status_code == 405:
        return _not_allowed(request)
    if isinstance(error.__cause__, RecursionError | ValueError):
        # The framework could not read the body as JSON.
        reason = "the body is nested too deeply"
        if not isinstance(error.__cause__, RecursionError):
            reason = _UNREADABLE
        return render(
            path, kind_of(InvalidInput(reason)), reason, [{"pointer": "", "detail": reason}]
        )
    fallback = Kind(error.status_code, "refused", "The request is refused", "bad_data")
    kind = _HTTP.get(error.status_code, fallback)
    return render(path, kind, str(error.detail), headers=error.headers)


def internal_error(path: str, error: BaseException) -> Response:
    """Log an error that is none of ours and answer without its words."""
    log.error("request failed", path=path, exc_info=error)
    detail = "the cause is in the service's log under this correlation id"
    return render(path, _INTERNAL, detail)


def _json(
    body: object, status: int, media_type: str, headers: Mapping[str, str] | None
) -> Response:
    # What is quoted from a request may hold what UTF-8 cannot: lone surrogates.
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(content, status, dict(headers or {}), media_type)


def _not_allowed(request: Request) -> Response:
    """Answer 405 with the methods of the path, which OPTIONS asks for."""
    allowed = ", ".join(sorted(_methods(request)))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allowed})
    detail = f"{request.method} is not allowed here, but {allowed}"
    return render(request.url.path, _HTTP[405], detail, headers={"Allow": allowed})


def _methods(request: Request) -> set[str]:
    """Return every method that some route of the path has."""
    router: Router = request.app.router
    found = {"OPTIONS"}
    for method in ("GET", "POST", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in router.routes):
            found.add(method)
    return found | {"HEAD"} if "GET" in found else found


def _places(error: ControlPlaneError) -> list[dict[str, str]]:
    if isinstance(error, ConfigError):
        return [
            {"pointer": f"{problem.file}:{problem.line}", "detail": problem.reason}
            for problem in error.problems
        ]
    if isinstance(error, InvalidFields):
        return [{"pointer": each.pointer, "detail": each.reason} for each in error.places]
    if isinstance(error, InvalidInput):
        return [{"pointer": error.pointer, "detail": error.reason}]
    return []


def _place(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return one finding of pydantic's as a JSON pointer, or `?name`, and a reason."""
    origin, *rest = entry["loc"]
    detail = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "json_invalid":
        return {"pointer": "", "detail": f"{_UNREADABLE}: {entry['ctx']['error']} at {rest[0]}"}
    if origin == "query":
        # A name that may come more than once has its place after it.
        return {"pointer": f"?{rest[0]}" if rest else "?", "detail": detail}
    parts = [str(part) for part in rest if part != "[key]"]
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
    return {"pointer": "".join(f"/{part}" for part in escaped), "detail": detail}
