"""The decision about each request: who asks, and may they?

With a token, every request must carry it, or the session of a browser that
showed it at the login, save for public paths. Without one the service is for
this machine alone. As any page in a browser may talk to loopback, or send a
session along, a foreign Origin and a write that a page could send without
asking first are refused; without a token a foreign Host (a rebound name) too.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from controlplane.auth import sessions
from controlplane.auth.loopback import is_loopback
from controlplane.auth.principals import ANONYMOUS, LOCAL, TOKEN_HOLDER, Principal, of_session
from controlplane.clock import Timestamp
from controlplane.errors import Forbidden, InvalidInput, Unauthorized, Unavailable
from controlplane.model.secret import Secret

CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
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
    all: health and the status page; `signed` for those whose route checks the
    signature of a service that calls us, and needs nothing else; `reads` for a
    POST that changes nothing, as clients of Prometheus send their queries.
    `csrf_token` is what came within a form; one in the header `x-csrf-token` is
    found without it. `session` is the cookie of a browser, good until an
    instant after `now`.
    """

    method: str
    headers: Mapping[str, str]
    client: str
    public: bool = False
    signed: bool = False
    reads: bool = False
    csrf_token: str = ""
    session: str = ""
    now: Timestamp = 0


@dataclass(frozen=True, slots=True)
class Guard:
    """Admits requests. `token` is read anew at each, so that it can be changed in its file."""

    token: Secret | None = None
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def admit(self, request: Request) -> Principal:
        """Return who is asking.

        Raises Unauthorized without the right token or session, Forbidden for
        what the policy refuses, Unavailable when the token itself cannot be read.
        """
        if request.signed:
            return ANONYMOUS
        if self.token is None:
            self._check_local(request)
            return LOCAL
        if request.public:
            return ANONYMOUS
        if request.session and "authorization" not in request.headers:
            session = sessions.unseal(request.session, self.token, request.now)
            _check_origin(request)
            _check_form(request, sessions.csrf_token(session, self.token))
            return of_session(session.name)
        _check_token(self.token, request.headers.get("authorization", ""))
        return TOKEN_HOLDER

    def login(self, name: str, token: str, now: Timestamp) -> str:
        """Return the cookie of a new session. Raises Unauthorized, InvalidInput for the name."""
        if self.token is None:
            raise Forbidden("without a token nobody logs in")
        if not name.isprintable() or not 0 < len(name) <= sessions.LONGEST_NAME:
            raise InvalidInput(f"a name has 1 to {sessions.LONGEST_NAME} printable characters")
        _compare(_wanted(self.token), token)
        return sessions.seal(sessions.begin(name, now), self.token)

    def form_token(self, session: str, now: Timestamp) -> str:
        """Return what a form has to bring that is shown to this session; empty without one."""
        if self.token is None:
            return self.csrf_token
        try:
            return sessions.csrf_token(sessions.unseal(session, self.token, now), self.token)
        except Unauthorized:
            return ""

    def _check_local(self, request: Request) -> None:
        if not is_loopback(request.client):
            raise Forbidden("without a token only this machine may ask")
        host = request.headers.get("host", "")
        if not is_loopback(_split_host(host)[0]):
            raise Forbidden("without a token the Host must be localhost or a loopback address")
        _check_origin(request)
        _check_form(request, self.csrf_token)


def _check_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and not _same_origin(origin, request.headers.get("host", "")):
        raise Forbidden("requests of pages from elsewhere are refused")


def _check_form(request: Request, wanted: str) -> None:
    if not _is_form_write(request):
        return
    given = request.csrf_token or request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
        raise Forbidden(
            f"a form needs its CSRF token (header {CSRF_HEADER}, or field {CSRF_FIELD}); "
            "programs send application/json instead"
        )


def _check_token(token: Secret, header: str) -> None:
    wanted = _wanted(token)
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise Unauthorized("a bearer token is needed: Authorization: Bearer TOKEN")
    _compare(wanted, given)


def _wanted(token: Secret) -> str:
    wanted = token.reveal()
    if not wanted:
        raise Unavailable("the API token is empty")
    return wanted


def _compare(wanted: str, given: str) -> None:
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
