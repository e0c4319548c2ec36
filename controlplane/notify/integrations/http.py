"""One request to a receiver, and every way in which it fails, told apart.

What leaves here as an error names no URL, for addresses are secrets, and nothing
that a call hides.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import httpx

from controlplane.errors import Forbidden
from controlplane.model.secret import REDACTED
from controlplane.notify.errors import DeliveryError, from_status
from controlplane.notify.message import FailureReason, Outcome

# How much of an answer is read, and how much of it an error repeats.
_MOST_READ: Final = 65_536
_MOST_TOLD: Final = 300
# What is shorter is no secret, and may stand in any word.
_SHORTEST: Final = 4
_IS_JSON: Final[Mapping[str, str]] = MappingProxyType({"Content-Type": "application/json"})
_IS_FORM: Final[Mapping[str, str]] = MappingProxyType(
    {"Content-Type": "application/x-www-form-urlencoded"}
)
# The request never left: the receiver cannot know of it.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_WORKS: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: status, lower-case header names, the start of the body."""

    status_code: int
    headers: httpx.Headers
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request. Errors repeat neither its URL nor what it hides: keys and tokens."""

    method: str
    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hides: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def json(
        cls,
        method: str,
        url: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        hides: tuple[str, ...] = (),
    ) -> "Call":
        """Return a request with JSON."""
        encoded = json.dumps(body, ensure_ascii=False).encode()
        return cls(method, url, encoded, {**_IS_JSON, **(headers or {})}, hides)

    @classmethod
    def form(cls, url: str, fields: Mapping[str, str], *, hides: tuple[str, ...] = ()) -> "Call":
        """Return the POST of a form."""
        return cls("POST", url, urlencode(fields).encode(), _IS_FORM, hides)

    def refused(self, answer: Answer, detail: str) -> DeliveryError:
        """Return the error for an answer that is no success; `detail` is what it says."""
        return refusal(answer, self.scrub(detail), self.url)

    def scrub(self, text: str) -> str:
        """Strike out the URL and what is hidden."""
        for secret in self.hides:
            text = text.replace(secret, REDACTED) if len(secret) >= _SHORTEST else text
        return scrub(text, self.url)


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
    kind = {} if body is None else _IS_JSON
    call = Call(method, url, body, {**kind, **(headers or {})})
    return await answer_to(client, call, seconds=seconds)


async def answer_to(client: httpx.AsyncClient, call: Call, *, seconds: float) -> Answer:
    """Return the answer to a request, whatever its status, within so many seconds.

    Raises DeliveryError, with the outcome REFUSED where the request never left.
    """
    try:
        async with client.stream(
            call.method, call.url, content=call.body, headers=call.headers, timeout=seconds
        ) as response:
            text = await _start_of(response)
            return Answer(response.status_code, response.headers, text)
    except Forbidden as error:
        raise DeliveryError(call.scrub(str(error))) from None
    except _NEVER_WORKS as error:
        raise DeliveryError(_words(error, call), reason=FailureReason.CLIENT_ERROR) from None
    except httpx.TransportError as error:
        late = isinstance(error, httpx.TimeoutException)
        raise DeliveryError(
            _words(error, call),
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


def _words(error: Exception, call: Call) -> str:
    text = str(error)
    name = type(error).__name__
    return call.scrub(f"{name}: {text}" if text else name)


def below(url: str, *segments: str, **query: str) -> str:
    """Return the address of a path below a URL, whose own path and query are kept."""
    parts = urlsplit(url)
    path = "/".join((parts.path.rstrip("/"), *(quote(each, safe="/:") for each in segments)))
    asked = "&".join(filter(None, (parts.query, urlencode(query))))
    return urlunsplit(parts._replace(path=path, query=asked))


def scrub(text: str, url: str) -> str:
    """Strike out the URL, whole or its telling parts."""
    parts = urlsplit(url)
    for secret in (url, parts.query, parts.path, parts.netloc if "@" in parts.netloc else ""):
        if len(secret) > 1:
            text = text.replace(secret, REDACTED)
    return text
