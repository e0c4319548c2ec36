"""One request to a receiver, and what became of it."""

import re
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
_WRITTEN: Final = (
    "x-prometheus-remote-write-samples-written",
    "x-prometheus-remote-write-histograms-written",
)
# How receivers say that samples come too late, or twice with two values: Prometheus,
# and Cortex and Thanos (409) in its words; Mimir by a name in brackets.
_LATE: Final = re.compile(
    "out of order sample|out of bounds|too old sample|duplicate sample for timestamp"
    "|timestamp too old|err-mimir-sample-(out-of-order|timestamp-too-old|duplicate-timestamp)",
    re.IGNORECASE,
)
_LATE_STATUS: Final = (400, 409)
# What Prometheus before 2.50 answers with 500 although it will never take the sample.
_NEVER_TAKEN: Final = "too old sample"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took it. `written` is what it says of samples, None when it says nothing."""

    written: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it.

    `late` tells that some samples are at fault, which come too late; others of
    the same request may be taken. `written` is as that of `Accepted`.
    """

    reason: str
    late: bool = False
    written: int | None = None


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
            return Accepted(_written(answer))
        text = answer.text.strip()
        reason = self._told(f"HTTP status {status}: {text}")
        if status == 500 and text == _NEVER_TAKEN:
            return Refused(reason, late=True)
        if status >= 500 or (status == 429 and self._patient):
            return Failed(reason, retry_after(answer.headers.get("retry-after"), self._clock.now()))
        late = status in _LATE_STATUS and _LATE.search(text) is not None
        return Refused(reason, late, _written(answer))

    def _told(self, reason: str) -> str:
        return scrub(reason, self._url)[:_MOST_TOLD]


def _written(answer: httpx.Response) -> int | None:
    """Return how many samples, native histograms among them, it says were written."""
    said = [answer.headers.get(name, "") for name in _WRITTEN]
    numbers = [int(each) for each in said if each.isdecimal()]
    return sum(numbers) if numbers else None


def scrub(text: str, url: str) -> str:
    """Strike out what of a URL may be secret: a password, a token among the parameters."""
    parts = urlsplit(url)
    for secret in (parts.query, parts.password or ""):
        if secret:
            text = text.replace(secret, REDACTED)
    return text
