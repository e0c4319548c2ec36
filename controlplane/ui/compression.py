"""Answers made smaller for readers who can take them so."""

from functools import lru_cache
from typing import Final

from cramjam import gzip
from starlette.requests import Request
from starlette.responses import Response

# What fits into one packet is not worth it.
_SMALLEST: Final = 1_200
_LEVEL: Final = 5


def takes_packed(request: Request) -> bool:
    """Tell whether a reader takes gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")


def packed(body: bytes) -> bytes:
    """Return a body compressed, or nothing when it is not worth it."""
    return _gzip(body) if len(body) >= _SMALLEST else b""


def compressed(request: Request, response: Response) -> Response:
    """Compress the body of a response in place, if the reader takes gzip; return the response."""
    response.headers["vary"] = "accept-encoding"
    body = bytes(response.body)
    if len(body) < _SMALLEST or not takes_packed(request):
        return response
    # Only files are kept: pages hardly ever repeat.
    immutable = "immutable" in response.headers.get("cache-control", "")
    response.body = _file(body) if immutable else _gzip(body)
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))
    return response


def _gzip(body: bytes) -> bytes:
    return bytes(gzip.compress(body, level=_LEVEL))


@lru_cache(maxsize=32)
def _file(body: bytes) -> bytes:
    return _gzip(body)
