"""A process that is about to end says so, while it still answers.

Whoever spreads requests learns of it by `/ready`, or by each connection that is
closed after its answer: the next one can be opened elsewhere.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Leaving:
    """Whether this process is about to end; it never takes that back."""

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """From now on be unready, and close connections that were answered."""
        self.begun = True


class LeavingMiddleware:
    """Says in each answer of a process that is leaving that its connection ends with it."""

    def __init__(self, app: ASGIApp, *, leaving: Leaving) -> None:
        self._app = app
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            # Asked when the answer begins: most of those under way are told too.
            if message["type"] == "http.response.start" and self._leaving.begun:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, sending)
