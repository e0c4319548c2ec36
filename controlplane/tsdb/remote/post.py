"""One request to a receiver, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from controlplane.clock import Clock, Duration
from controlplane.errors import Forbidden
from controlplane.model.secret import REDACTED
from controlplane.transport.backoff import retry_after

_MOST_TOLD: Final = 300
_NEVER_WORKS: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)
# What a receiver of version 2 says it wrote.
_WRITTEN: Final = "x-prometheus-remote-write-samples-written"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took it. `written` is what it says of samples, None when it says nothing."""

    written: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It may be taken when it is sent again, after `wait` milliseconds if the receiver says so."""

    reason: str
    wait: Duration | None = None


Outcome = Accepted | Refused | Failed


class Poster:
    """Posts bodies to one URL."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: Duration,
        patient: bool,
        clock: Clock,
    ) -> None:
        """`patient` sends again what was answered with 429."""
        self._client = client
        self._url = url
        self._headers = {**headers, "Content-Encoding": "snappy"}
        self._seconds = timeout / 1000
        self._patient = patient
        self._clock = clock

    async def post(self, body: bytes, message: Mapping[str, str], attempt: int) -> Outcome:
        """Send a compressed body; `message` are its headers, `attempt` counts from 0."""
        headers = {**self._headers, **message}
        if attempt:
            headers["Retry-Attempt"] = str(attempt)
        try:
            answer = await self._client.post(
                self._url, content=body, headers=headers, timeout=self._seconds
            )
        except _NEVER_WORKS as error:
            return Refused(self._told(f"{type(error).__name__}: {error}"))
        except (httpx.TransportError, Forbidden) as error:
            return Failed(self._told(f"{type(error).__name__}: {error}"))
        return self._outcome(answer)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _outcome(self, answer: httpx.Response) -> Outcome:
        status = answer.status_code
        if 200 <= status < 300:
            written = answer.headers.get(_WRITTEN, "")
            return Accepted(int(written) if written.isdecimal() else None)
        reason = self._told(f"HTTP status {status}: {answer.text.strip()}")
        if status >= 500 or (status == 429 and self._patient):
            return Failed(reason, retry_after(answer.headers.get("retry-after"), self._clock.now()))
        return Refused(reason)

    def _told(self, reason: str) -> str:
        return scrub(reason, self._url)[:_MOST_TOLD]


def scrub(text: str, url: str) -> str:
    """Strike out what of a URL may be secret: a password, a token among the parameters."""
    parts = urlsplit(url)
    for secret in (parts.query, parts.password or ""):
        if secret:
            text = text.replace(secret, REDACTED)
    return text
