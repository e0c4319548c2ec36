"""One request to a receiver, and every way in which it fails, told apart.

What leaves here as an error names no URL: webhook addresses are secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from controlplane.errors import Forbidden
from controlplane.model.secret import REDACTED
from controlplane.notify.errors import DeliveryError, from_status
from controlplane.notify.message import FailureReason, Outcome

# How much of an answer is read, and how much of it an error repeats.
_MOST_READ: Final = 65_536
_MOST_TOLD: Final = 300
# The request never left: the receiver cannot know of it.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_WORKS: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: status, lower-case header names, the start of the body."""

    status_code: int
    headers: httpx.Headers
    text: str


async def post_json(client: httpx.AsyncClient, url: str, body: bytes, *, seconds: float) -> Answer:
    """Return the answer to a POST, whatever its status, within so many seconds.

    Raises DeliveryError, with the outcome REFUSED where the request never left.
    """
    return await ask(client, "POST", url, body, seconds=seconds)


async def ask(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float,
) -> Answer:
    """Return the answer to any request; its body is JSON unless `headers` say otherwise.

    Raises DeliveryError, with the outcome REFUSED where the request never left.
    """
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        async with client.stream(
            method, url, content=body, headers={**kind, **(headers or {})}, timeout=seconds
        ) as response:
            text = await _start_of(response)
            return Answer(response.status_code, response.headers, text)
    except Forbidden as error:
        raise DeliveryError(scrub(str(error), url)) from None
    except _NEVER_WORKS as error:
        raise DeliveryError(_words(error, url), reason=FailureReason.CLIENT_ERROR) from None
    except httpx.TransportError as error:
        late = isinstance(error, httpx.TimeoutException)
        raise DeliveryError(
            _words(error, url),
            reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED if late else FailureReason.OTHER,
            temporary=True,
            outcome=Outcome.REFUSED if isinstance(error, _NOT_SENT) else Outcome.UNKNOWN,
        ) from None


def refusal(answer: Answer, detail: str, url: str) -> DeliveryError:
    """Return the error for an answer that is no success."""
    words = scrub(detail, url)[:_MOST_TOLD]
    return from_status(answer.status_code, words, retry_after=retry_after(answer.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for; a date counts from `Date`.

    `headers` know their names in any case of letters.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        sent = parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError):
        return None


async def _start_of(response: httpx.Response) -> str:
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) >= _MOST_READ:
            break
    return bytes(read[:_MOST_READ]).decode(errors="replace")


def _words(error: Exception, url: str) -> str:
    text = str(error)
    name = type(error).__name__
    return scrub(f"{name}: {text}" if text else name, url)


def scrub(text: str, url: str) -> str:
    """Strike out the URL, whole or its telling parts."""
    parts = urlsplit(url)
    for secret in (url, parts.query, parts.path, parts.netloc if "@" in parts.netloc else ""):
        if len(secret) > 1:
            text = text.replace(secret, REDACTED)
    return text
