"""A bound on the size of every body and on the time of every request."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.problems import answer
from controlplane.errors import DeadlineExceeded, TooLarge

MAX_BODY: Final = 1 << 20
MAX_SECONDS: Final = 30.0


class BodyTooLarge(Exception):
    """Raised inside the application when it reads past the bound."""


class LimitMiddleware:
    """Refuse bodies over `max_body` bytes, also chunked ones, and slow requests.

    `long_paths` names the prefixes whose answers may go on (none has a body).
    """

    def __init__(
        self, app: ASGIApp, *, max_body: int = MAX_BODY, max_seconds: float = MAX_SECONDS
    ) -> None:
        self._app = app
        self._max_body = max_body
        self._max_seconds = max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        path = scope["path"]
        limit = f"the body is over the limit of {self._max_body} bytes"
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_body:
            await answer(path, TooLarge(limit))(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._max_seconds):
                await self._app(scope, self._counting(receive), sending)
        except BodyTooLarge:
            if not started:
                await answer(path, TooLarge(limit))(scope, receive, send)
        except TimeoutError:
            if not started:
                late = DeadlineExceeded(f"not done within {self._max_seconds:g} s")
                await answer(path, late)(scope, receive, send)

    def _counting(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body:
                raise BodyTooLarge
            return message

        return counted
