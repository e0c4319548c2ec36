"""`/api/v1/replicas`, and what a replica answers that does not serve the API."""

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from controlplane import __version__
from controlplane.api.roles import RoleMiddleware


async def test_one_that_is_alone_lists_itself(api: httpx.AsyncClient) -> None:
    """With all roles, and since when it is there."""
    answer = await api.get("/api/v1/replicas")
    assert answer.status_code == 200
    [replica] = answer.json()["items"]
    assert (replica["name"], replica["roles"]) == (
        "test",
        ["api", "evaluator", "notifier", "prober"],
    )
    assert replica["joined_at"].endswith("Z")
    assert replica["version"] == __version__
    assert len(replica["config_digest"]) == 64
    assert replica["network"] == "connected"


async def here(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("here")(scope, _receive, send)


def gated(*, serves: bool) -> httpx.AsyncClient:
    """Return a client of an application behind the gate of roles."""
    gate = RoleMiddleware(here, roles="prober", serves=serves)
    return httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://localhost")


async def knock(*, serves: bool) -> Message:
    """Ask for a WebSocket; return the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    gate = RoleMiddleware(here, roles="prober", serves=serves)
    await gate({"type": "websocket", "path": "/api/v1/stream"}, receive, send)
    return sent[0]


async def test_without_the_role_only_its_health_is_told() -> None:
    """Who watches the process reaches it; who wants the API is sent elsewhere, with the reason."""
    async with gated(serves=False) as client:
        for path in ("/health", "/ready", "/metrics", "/-/healthy"):
            assert (await client.get(path)).text == "here"
        refused = await client.get("/api/v1/targets")
    assert refused.status_code == 503
    assert "its roles are prober" in refused.json()["detail"]
    assert await knock(serves=False) == {"type": "websocket.close", "code": 1013}


async def test_with_the_role_everything_is_answered() -> None:
    """The gate stands open."""
    async with gated(serves=True) as client:
        assert (await client.get("/api/v1/targets")).text == "here"
    assert await knock(serves=True) == {"type": "websocket.accept"}
