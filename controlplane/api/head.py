"""HEAD wherever there is a GET: the same answer without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Has a HEAD answered by the GET of its path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A scope of its own: the server must still know that it answers a HEAD.
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, sending)
        finally:
            scope.update({name: inner[name] for name in inner.keys() - scope.keys()})
