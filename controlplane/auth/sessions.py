"""Sessions of browsers: a name and an end, signed with a key that follows the API token.

Nothing is stored: who changes the token ends all sessions. The name was given
at the login and nobody checked it. Signed as in RFC 2104 (HMAC, SHA-256).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import Unauthorized
from controlplane.model.duration import HOUR
from controlplane.model.secret import Secret

COOKIE: Final = "controlplane_session"
LIFETIME: Final[Duration] = 12 * HOUR
LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Session:
    """Who said to be whom, until when. `nonce` tells two sessions of one name apart."""

    name: str
    ends_at: Timestamp
    nonce: str


def begin(name: str, now: Timestamp) -> Session:
    """Return a new session."""
    return Session(name, now + LIFETIME, secrets.token_urlsafe(12))


def seal(session: Session, token: Secret) -> str:
    """Return a session as the value of a cookie."""
    fields = f"{session.ends_at}.{session.nonce}.{session.name}".encode()
    return f"{_text(fields)}.{_text(_mac(token, b'session', fields))}"


def unseal(cookie: str, token: Secret, now: Timestamp) -> Session:
    """Return the session in a cookie. Raises Unauthorized for one that is forged or over."""
    fields, _, mac = cookie.partition(".")
    try:
        body, given = _bytes(fields), _bytes(mac)
    except (binascii.Error, ValueError):
        raise Unauthorized("the session is not valid: log in again") from None
    if not hmac.compare_digest(given, _mac(token, b"session", body)):
        raise Unauthorized("the session is not valid: log in again")
    ends_at, nonce, name = body.decode().split(".", 2)
    if int(ends_at) <= now:
        raise Unauthorized("the session is over: log in again")
    return Session(name, int(ends_at), nonce)


def csrf_token(session: Session, token: Secret) -> str:
    """Return what a form of this session has to bring."""
    return _text(_mac(token, b"csrf", session.nonce.encode()))


def _mac(token: Secret, purpose: bytes, message: bytes) -> bytes:
    # A key for each purpose: what signs one thing never signs another.
    key = hmac.digest(token.reveal().encode(), b"controlplane " + purpose, hashlib.sha256)
    return hmac.digest(key, message, hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
