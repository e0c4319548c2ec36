"""Slack's signature on what it sends: version v0, HMAC-SHA256 over time stamp and raw body."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.errors import Unauthorized

TIMESTAMP_HEADER: Final = "x-slack-request-timestamp"
SIGNATURE_HEADER: Final = "x-slack-signature"
# What is older, or so far ahead of our clock, may be a recording.
_FRESH: Final[Duration] = 5 * 60_000


def signed_at(headers: Mapping[str, str], now: Timestamp) -> str:
    """Return the time stamp of a request as it stands there; header names are in lower case.

    Raises Unauthorized for one that is missing, no number, or not fresh.
    """
    text = headers.get(TIMESTAMP_HEADER, "")
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise Unauthorized("the request has no time stamp of Slack's")
    if abs(now - int(text) * 1000) > _FRESH:
        raise Unauthorized("the request is not fresh")
    return text


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature that Slack would put on a body."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, sha256).hexdigest()


def is_signed(secret: str, timestamp: str, body: bytes, given: str) -> bool:
    """Tell whether a signature is right, in a time that does not depend on how wrong it is.

    An empty secret signs nothing.
    """
    wanted = signature(secret, timestamp, body).encode()
    return bool(secret) and hmac.compare_digest(wanted, given.encode(errors="replace"))
