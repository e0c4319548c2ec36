"""What a replica answers that is not there for the API: how it fares, and nothing else."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from controlplane.api.problems import answer_status

# Who watches the process, or has it reload, reaches it whatever its role.
_ALWAYS: Final = ("/health", "/ready", "/metrics", "/-/")
# Of RFC 6455 as registered since: try again later.
_TRY_ANOTHER: Final = 1013
_WHY: Final = "this replica does not serve the API: its roles are {}; ask another one"


class RoleMiddleware:
    """Answers 503 in the place of the API where that is not a role of the replica."""

    def __init__(self, app: ASGIApp, *, roles: str, serves: bool) -> None:
        self._app = app
        self._why = _WHY.format(roles)
        self._serves = serves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._serves or scope["type"] == "lifespan" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _TRY_ANOTHER})
        else:
            await answer_status(scope["path"], 503, self._why)(scope, receive, send)
