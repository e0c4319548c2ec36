"""A bound on the size of every body and on the time of every request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.problems import answer, answer_status
from controlplane.errors import DeadlineExceeded, TooLarge

_SLOW: Final = 408

# How long, and how much of, a body is read that was refused: a client that
# writes all of it before it reads would see a reset in place of the answer.
_LINGER_SECONDS: Final = 5.0
_LINGER_IDLE_SECONDS: Final = 1.0
_LINGER_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` is in bytes, `seconds` the time of a request from its head to its answer.

    `longer` and `larger` name prefixes of paths with a time and a size of their own.
    """

    body: int = 1 << 20
    seconds: float = 30.0
    longer: Mapping[str, float] = field(default_factory=dict)
    larger: Mapping[str, int] = field(default_factory=dict)

    def seconds_of(self, path: str) -> float:
        """Return how long a request of this path may take."""
        found = (time for prefix, time in self.longer.items() if path.startswith(prefix))
        return next(found, self.seconds)

    def bytes_of(self, path: str) -> int:
        """Return how large a body of this path may be."""
        found = (size for prefix, size in self.larger.items() if path.startswith(prefix))
        return next(found, self.body)


class LimitMiddleware:
    """Answers 413 to a body over the limit, declared or chunked; 408 or 503 to a late request."""

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Bounded(self._app, scope, receive, send).run(self._limits)


class _OverLimit(Exception):
    """Ends whatever reads a body that is too large; the middleware answers."""


class _Bounded:
    """One request under the limits."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._size = 0
        self._most = 0
        self._whole = False
        self._waiting = False
        self._over = False
        self._started = False

    async def run(self, limits: Limits) -> None:
        """Serve the request, or answer why not."""
        path, self._most = self._scope["path"], limits.bytes_of(self._scope["path"])
        seconds = limits.seconds_of(path)
        declared = Headers(scope=self._scope).get("content-length", "0")
        # What no int can hold is too large as well.
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > self._most):
            await self._refuse(self._too_large())
            return
        try:
            async with asyncio.timeout(seconds):
                await self._app(self._scope, self._receiving, self._sending)
        except _OverLimit:
            pass
        except TimeoutError:
            await self._refuse(self._too_late(seconds))
        if self._over:
            await self._refuse(self._too_large())

    async def _receiving(self) -> Message:
        # After the body only the end of the connection can come.
        self._waiting = not self._whole
        message = await self._receive()
        self._waiting = False
        self._whole = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            self._over = True
            raise _OverLimit
        return message

    async def _sending(self, message: Message) -> None:
        # Whoever reads the body may answer in his own way to our exception.
        if self._over and not self._started:
            return
        self._started = True
        await self._send(message)

    async def _refuse(self, response: Response) -> None:
        if self._started:
            return
        self._started = True
        response.headers["connection"] = "close"
        await self._send_head_and_body(response)
        await self._linger()
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_head_and_body(self, response: Response) -> None:
        """Send all that there is to an answer, and leave the connection open."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "more_body": True}
            await self._send(message)

        await response(self._scope, self._receive, sending)

    async def _linger(self) -> None:
        """Throw away what still comes of the body, within bounds."""
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                read = 0
                while not self._whole and read < _LINGER_BYTES:
                    async with asyncio.timeout(_LINGER_IDLE_SECONDS):
                        message = await self._receive()
                    read += len(message.get("body", b""))
                    self._whole = not message.get("more_body", False)
        except TimeoutError:
            pass

    def _too_large(self) -> Response:
        reason = f"the body is over the limit of {self._most} bytes"
        return answer(self._scope["path"], TooLarge(reason))

    def _too_late(self, seconds: float) -> Response:
        path = self._scope["path"]
        if self._waiting:
            return answer_status(path, _SLOW, f"the body did not arrive within {seconds:g} s")
        return answer(path, DeadlineExceeded(f"not done within {seconds:g} s"))
