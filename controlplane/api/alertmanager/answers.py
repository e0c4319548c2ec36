"""How Alertmanager answers: JSON on a line, errors as bare texts or with a code."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar

from fastapi import Request, Response

from controlplane.clock import Clock

T = TypeVar("T")

_JSON: Final = "application/json"
# Alerts that are looked at and written in a few milliseconds.
_AT_ONCE: Final = 50
# What an answer is to be asked for anew each time.
_HEADERS: Final = {"Cache-Control": "no-store"}

# Numbers of go-openapi, which refuses a request before Alertmanager sees it.
INVALID_TYPE: Final = 601
REQUIRED: Final = 602
TOO_FEW: Final = 612

# What the OpenAPI document tells of every route here.
DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "What is wrong with the request, as a JSON text"},
    422: {"description": "A part is missing, or of another type: `code` and `message`"},
    "default": {"description": "`code` and `message`, or a JSON text for what is our fault"},
}


class Malformed(Exception):
    """A request that never reaches Alertmanager; `code` is go-openapi's or HTTP's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def found(body: Any) -> Response:
    """Answer 200 with JSON."""
    return _written(body, 200)


def found_all(items: Iterable[str]) -> Response:
    """Answer 200 with a list of what is JSON already."""
    return found_body(list_of(items))


def list_of(items: Iterable[str]) -> bytes:
    """Return a list of what is JSON already, as it is sent."""
    return f"[{','.join(items)}]\n".encode(errors="replace")


def found_body(body: bytes) -> Response:
    """Answer 200 with what is ready to be sent."""
    return Response(body, 200, _HEADERS, _JSON)


def as_json(body: Any) -> str:
    """Return a body as it is written."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def unhurried(items: Iterable[T], clock: Clock) -> AsyncIterator[T]:
    """Yield items, and now and then the event loop: an answer may tell of very many."""
    for place, item in enumerate(items, 1):
        yield item
        if place % _AT_ONCE == 0:
            await clock.sleep(0)


def done() -> Response:
    """Answer 200 without a body."""
    return Response(status_code=200, headers=_HEADERS)


def absent() -> Response:
    """Answer 404 without a body."""
    return Response(status_code=404, headers=_HEADERS)


def refused(reason: str, status: int = 400) -> Response:
    """Answer with what Alertmanager itself found wrong: a bare text."""
    return _written(reason, status)


async def on_malformed(_request: Request, error: Exception) -> Response:
    """Answer what the layer before it refuses: a code that may be finer than HTTP's."""
    assert isinstance(error, Malformed)  # noqa: S101 - registered for it alone
    status = 422 if error.code >= INVALID_TYPE else error.code
    return _written({"code": error.code, "message": error.reason}, status)


def _written(body: Any, status: int) -> Response:
    return Response(f"{as_json(body)}\n".encode(errors="replace"), status, _HEADERS, _JSON)
