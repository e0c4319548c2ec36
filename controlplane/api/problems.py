"""The one place that turns an error into an answer.

Ours are RFC 9457 problems with a stable `type`; the compatible APIs keep the
shape of the program they speak for. Nothing internal is shown: an error that
is none of ours is logged with its correlation id and answered as `internal`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from controlplane.errors import (
    ConfigError,
    Conflict,
    ControlPlaneError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    Overloaded,
    ParseError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from controlplane.telemetry.correlation import correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

PROMETHEUS_PREFIX: Final = "/prometheus/"
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
    (Unavailable, Kind(503, "unavailable", "A dependency does not answer", "unavailable")),
    (DeadlineExceeded, Kind(503, "timeout", "The request took too long", "timeout")),
    (ControlPlaneError, Kind(422, "failed", "The request failed", "execution")),
)
_INTERNAL: Final = Kind(500, "internal", "Something went wrong on our side", "internal")
_HTTP: Final = {
    400: Kind(400, "bad-request", "The request is malformed", "bad_data"),
    404: Kind(404, "not-found", "There is no such thing", "not_found"),
    405: Kind(405, "method-not-allowed", "This method is not allowed here", "bad_data"),
}


def kind_of(error: ControlPlaneError) -> Kind:
    """Return how an error of ours is answered."""
    return next(kind for cls, kind in _KINDS if isinstance(error, cls))


def answer(path: str, error: ControlPlaneError) -> Response:
    """Return the answer for an error of ours, in the shape that `path` speaks."""
    kind = kind_of(error)
    details: list[dict[str, str]] = []
    if isinstance(error, ConfigError):
        details = [
            {"pointer": f"{problem.file}:{problem.line}", "detail": problem.reason}
            for problem in error.problems
        ]
    elif isinstance(error, InvalidInput) and error.pointer:
        details = [{"pointer": error.pointer, "detail": error.reason}]
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return render(path, kind, str(error), details, headers)


def render(
    path: str,
    kind: Kind,
    detail: str,
    errors: Sequence[dict[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem, or Prometheus' envelope below `/prometheus/`."""
    if path.startswith(PROMETHEUS_PREFIX):
        status = 400 if kind.status == 422 and kind.upstream == "bad_data" else kind.status
        body: dict[str, Any] = {"status": "error", "errorType": kind.upstream, "error": detail}
        return JSONResponse(body, status_code=status, headers=headers)
    problem: dict[str, Any] = {
        "type": f"urn:controlplane:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "correlation_id": correlation_id(),
        "errors": list(errors),
    }
    return JSONResponse(problem, status_code=kind.status, media_type=MEDIA_TYPE, headers=headers)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, ControlPlaneError)  # noqa: S101 - registered for it alone
    return answer(request.url.path, error)


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer input that the schema refuses, naming each place."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    details = [_place(entry) for entry in error.errors()]
    summary = "; ".join(f"{entry['pointer'] or 'body'}: {entry['detail']}" for entry in details)
    kind = kind_of(InvalidInput(summary))
    return render(request.url.path, kind, summary, details)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework refused before any of our code ran."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    kind = _HTTP.get(error.status_code)
    if kind is None:
        kind = Kind(error.status_code, "refused", "The request is refused", "bad_data")
    headers = dict(error.headers or {})
    return render(request.url.path, kind, str(error.detail), headers=headers)


def internal_error(path: str, error: BaseException) -> Response:
    """Log an error that is none of ours and answer without its words."""
    log.error("request failed", path=path, exc_info=error)
    detail = "the cause is in the service's log under this correlation id"
    return render(path, _INTERNAL, detail)


def _place(entry: dict[str, Any]) -> dict[str, str]:
    where = [str(part) for part in entry["loc"]]
    prefix = {"body": "", "query": "?", "path": "", "header": ""}.get(where[0], "/")
    rest = where[1:] if where[0] in ("body", "query", "path", "header") else where
    if prefix == "?":
        return {"pointer": "?" + ".".join(rest), "detail": str(entry["msg"])}
    return {"pointer": "".join(f"/{part}" for part in rest), "detail": str(entry["msg"])}
