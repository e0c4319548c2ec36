"""The decision about each request: who asks, and may they?

With a token, every request must carry it, save for public paths. Without one
the service is for this machine alone; as any page in a browser may talk to
loopback, a foreign Host (a rebound name), a foreign Origin, and a write that a
page could send without asking first are refused.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from controlplane.auth.loopback import is_loopback
from controlplane.auth.principals import ANONYMOUS, LOCAL, TOKEN_HOLDER, Principal
from controlplane.errors import Forbidden, Unauthorized, Unavailable
from controlplane.model.secret import Secret

CSRF_HEADER: Final = "x-csrf-token"
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What a browser sends across origins without asking first; no type at all is one too.
_FORM_TYPES: Final = frozenset(
    {"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """What the decision is about. Header names are in lower case.

    `client` is the peer's address. `public` is true for paths that are open to
    all: health and the status page; `reads` for a POST that changes nothing,
    as clients of Prometheus send their queries. `csrf_token` is what came
    within a form; one in the header `x-csrf-token` is found without it.
    """

    method: str
    headers: Mapping[str, str]
    client: str
    public: bool = False
    reads: bool = False
    csrf_token: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """Admits requests. `token` is read anew at each, so that it can be changed in its file."""

    token: Secret | None = None
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def admit(self, request: Request) -> Principal:
        """Return who is asking.

        Raises Unauthorized without the right token, Forbidden for what the
        policy refuses, Unavailable when the token itself cannot be read.
        """
        if self.token is None:
            self._check_local(request)
            return LOCAL
        if request.public:
            return ANONYMOUS
        _check_token(self.token, request.headers.get("authorization", ""))
        return TOKEN_HOLDER

    def _check_local(self, request: Request) -> None:
        if not is_loopback(request.client):
            raise Forbidden("without a token only this machine may ask")
        host = request.headers.get("host", "")
        if not is_loopback(_split_host(host)[0]):
            raise Forbidden("without a token the Host must be localhost or a loopback address")
        origin = request.headers.get("origin")
        if origin is not None and not _same_origin(origin, host):
            raise Forbidden("requests of pages from elsewhere are refused")
        if _is_form_write(request) and not self._is_own_form(request):
            raise Forbidden(
                f"a form needs its CSRF token (header {CSRF_HEADER}); "
                "programs send application/json instead"
            )

    def _is_own_form(self, request: Request) -> bool:
        given = request.csrf_token or request.headers.get(CSRF_HEADER, "")
        return hmac.compare_digest(given.encode(errors="replace"), self.csrf_token.encode())


def _check_token(token: Secret, header: str) -> None:
    wanted = token.reveal()
    if not wanted:
        raise Unavailable("the API token is empty")
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise Unauthorized("a bearer token is needed: Authorization: Bearer TOKEN")
    if not hmac.compare_digest(given.strip().encode(errors="replace"), wanted.encode()):
        raise Unauthorized("the token is not valid")


def _is_form_write(request: Request) -> bool:
    if request.method in _READS or request.reads:
        return False
    headers = request.headers
    empty = "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return not empty and media_type in _FORM_TYPES


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return False
    name, own_port = _split_host(host)
    own = own_port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return parts.scheme in _DEFAULT_PORTS and (parts.hostname or "", port) == (name.lower(), own)


def _split_host(host: str) -> tuple[str, int]:
    """Return name and port (0 when there is none) of a Host header; ('', 0) for a broken one."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port or 0
    except ValueError:
        return "", 0
    whole = parts.netloc == host and "@" not in host
    return (name, port) if whole else ("", 0)
