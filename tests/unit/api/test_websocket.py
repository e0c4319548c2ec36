"""`/api/v1/stream` as a WebSocket, over real sockets."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from controlplane.api.connections import BoundedWebSocket
from controlplane.api.guard import GuardMiddleware
from controlplane.api.stream import websocket
from controlplane.auth import sessions
from controlplane.auth.guard import Guard
from controlplane.clock import SystemClock
from controlplane.events.event import Event, Kind
from controlplane.events.local import LocalBus
from controlplane.events.metrics import BusMetrics
from controlplane.model.secret import Secret

TOKEN = Secret("correct horse")
_PATIENCE = 20.0


@dataclass(frozen=True)
class House:
    """A service with a stream: where it is, what it tells, and what it counts."""

    url: str
    bus: LocalBus
    registry: CollectorRegistry

    def publish(self, subject: str, kind: Kind = Kind.TARGET, **data: str) -> None:
        self.bus.publish(Event(kind, subject, 1_000, data))

    def connect(self, query: str = "", **options: Any) -> connect:
        return connect(f"{self.url}/api/v1/stream{query}", **options)

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def house(token: Secret | None = None, kept: int = 4_096) -> AsyncIterator[House]:
    """Give a running service."""
    clock, registry = SystemClock(), CollectorRegistry()
    bus = LocalBus(clock, BusMetrics(registry), kept)
    guarding = Middleware(GuardMiddleware, guard=Guard(token), clock=clock)
    application = FastAPI(middleware=[guarding])
    application.include_router(websocket.router)
    application.state.surface = SimpleNamespace(bus=bus)
    application.state.sockets = websocket.Sockets(registry)
    config = uvicorn.Config(
        application,
        ws=BoundedWebSocket,
        ws_per_message_deflate=False,
        log_config=None,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server._serve([listening]))
        yield House(f"ws://127.0.0.1:{listening.getsockname()[1]}", bus, registry)
        bus.close()
        server.should_exit = True
        async with asyncio.timeout(_PATIENCE):
            await serving


async def heard(connection: ClientConnection, count: int = 1) -> list[dict[str, Any]]:
    """Return the next messages."""
    async with asyncio.timeout(_PATIENCE):
        return [json.loads(await connection.recv()) for _ in range(count)]


async def code_of(connection: ClientConnection) -> int:
    """Return the code with which the other side closed, once it has."""
    async with asyncio.timeout(_PATIENCE):
        await connection.wait_closed()
    assert connection.close_code is not None
    return connection.close_code


async def eventually(look: Any) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not look():  # noqa: ASYNC110 - what is looked at is at the other end of a socket
            await asyncio.sleep(0.01)  # noqa: TID251 - as above


async def test_an_event_is_a_message_of_json() -> None:
    """With its id, kind, subject, time and data."""
    async with house() as there, there.connect() as connection:
        await eventually(lambda: there.sample("controlplane_event_listeners") == 1)
        there.publish("t1", state="down")
        [message] = await heard(connection)
        assert message == {
            "id": there.bus.position,
            "kind": "target",
            "subject": "t1",
            "time": "1970-01-01T00:00:01.000Z",
            "data": {"state": "down"},
        }


async def test_a_reader_goes_on_where_it_was() -> None:
    """After the id in the query come the events since; after one that is unknown a reset."""
    async with house() as there:
        for subject in "abc":
            there.publish(subject)
        after = there.bus.recent()[-1].id
        async with there.connect(f"?after={after}") as connection:
            assert [each["subject"] for each in await heard(connection, 2)] == ["b", "c"]
        async with there.connect("?after=unknown-1") as connection:
            assert (await heard(connection))[0]["kind"] == "reset"


async def test_kinds_are_chosen() -> None:
    """Only events of these kinds come, and resets."""
    async with house() as there:
        there.publish("first")
        after = there.bus.position
        there.publish("a", Kind.ALERT)
        there.publish("t")
        there.publish("s", Kind.SILENCE)
        async with there.connect(f"?kind=alert&kind=silence&after={after}") as connection:
            assert [each["subject"] for each in await heard(connection, 2)] == ["a", "s"]


async def test_a_message_changes_what_is_told() -> None:
    """The reader asks for other kinds, and for what came before, on the same connection."""
    async with house() as there:
        there.publish("a", Kind.ALERT)
        after = there.bus.position
        there.publish("t")
        there.publish("b", Kind.ALERT)
        async with there.connect("?kind=silence") as connection:
            await connection.send(json.dumps({"kinds": ["alert"], "after": after}))
            assert (await heard(connection))[0]["subject"] == "b"
            await connection.send(json.dumps({"after": after}))
            assert [each["subject"] for each in await heard(connection, 2)] == ["t", "b"]


@pytest.mark.parametrize("message", ["", "{", "[]", '{"kinds": ["tea"]}', '{"x": 1}', b"\x00"])
async def test_what_is_no_request_ends_the_connection(message: str | bytes) -> None:
    """The reader is told by the code that it said something that is not taken here."""
    async with house() as there, there.connect() as connection:
        await connection.send(message)
        assert await code_of(connection) == websocket.Close.UNUSABLE
        await eventually(lambda: there.sample("controlplane_websockets") == 0)
        assert there.sample("controlplane_websockets_closed_total", code="1008") == 1
        assert there.sample("controlplane_event_listeners") == 0


async def test_a_kind_that_there_is_not_is_refused_before_the_connection() -> None:
    """With a problem, as any other request."""
    async with house() as there:
        with pytest.raises(InvalidStatus) as refused:
            await there.connect("?kind=tea")
        response = refused.value.response
        assert response.status_code == 422
        assert json.loads(response.body or b"")["type"] == "urn:controlplane:problem:invalid-input"


async def test_without_a_token_pages_from_elsewhere_are_refused() -> None:
    """A page of another origin may open a WebSocket to loopback: it gets no answer here."""
    async with house() as there:
        with pytest.raises(InvalidStatus) as refused:
            await there.connect(origin="http://evil.example")
        assert refused.value.response.status_code == 403


def bearer(token: str) -> str:
    return "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"authorization": "Bearer wrong"}},
        {"subprotocols": ["controlplane.v1", bearer("wrong")]},
        {"subprotocols": ["controlplane.v1", "bearer.%%%"]},
        {"additional_headers": {"cookie": f"{sessions.COOKIE}=forged.forged"}},
    ],
)
async def test_who_has_no_token_is_refused(options: dict[str, Any]) -> None:
    """Whichever way it should have come."""
    async with house(TOKEN) as there:
        with pytest.raises(InvalidStatus) as refused:
            await there.connect(**options)
        assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"authorization": f"Bearer {TOKEN.reveal()}"}},
        {"subprotocols": ["controlplane.v1", bearer(TOKEN.reveal())]},
    ],
)
async def test_the_token_comes_as_a_header_or_as_a_subprotocol(options: dict[str, Any]) -> None:
    """Pages can set no header; of what they offer only the protocol is agreed to."""
    async with house(TOKEN) as there, there.connect(**options) as connection:
        there.publish("t1")
        assert connection.subprotocol in (None, "controlplane.v1")
        assert ("subprotocols" in options) == (connection.subprotocol == "controlplane.v1")


async def test_a_session_counts_for_pages_of_ours_alone() -> None:
    """A browser sends its cookie along, whichever page opens the connection."""
    session = sessions.seal(sessions.begin("ada", SystemClock().now()), TOKEN)
    cookie = {"cookie": f"{sessions.COOKIE}={session}"}
    async with house(TOKEN) as there:
        own = there.url.replace("ws://", "http://")
        async with there.connect(additional_headers=cookie, origin=own):
            assert there.sample("controlplane_websockets") == 1
        with pytest.raises(InvalidStatus) as refused:
            await there.connect(additional_headers=cookie, origin="http://evil.example")
        assert refused.value.response.status_code == 403


async def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told to come back, and may when another one has gone."""
    monkeypatch.setattr(websocket, "_MOST", 1)
    async with house() as there:
        async with there.connect():
            with pytest.raises(InvalidStatus) as refused:
                await there.connect()
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["retry-after"] == "10"
        await eventually(lambda: there.sample("controlplane_websockets") == 0)
        async with there.connect():
            assert there.sample("controlplane_websockets") == 1


async def test_who_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing piles up for a reader that stopped reading: it is told to come back, then cut."""
    monkeypatch.setattr(websocket, "_PATIENCE", 0.2)
    monkeypatch.setattr(websocket, "_GOODBYE", 0.1)
    async with house(kept=8) as there, there.connect(max_queue=1, max_size=None) as connection:
        connection.transport.pause_reading()

        def gone() -> bool:
            # More than the kernel keeps on the way.
            there.publish("t", text="x" * (4 << 20))
            return there.sample("controlplane_websockets_closed_total", code="1013") == 1

        await eventually(gone)
        assert there.sample("controlplane_event_listeners") == 0
        connection.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await heard(connection, 4_096)


async def test_the_end_of_the_service_and_of_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way the reader is told to come back."""
    async with house() as there, there.connect() as connection:
        there.bus.close()
        assert await code_of(connection) == websocket.Close.ENDING
    monkeypatch.setattr(websocket, "_LONGEST_SECONDS", 0.05)
    async with house() as there, there.connect() as connection:
        assert await code_of(connection) == websocket.Close.HOUR_OVER


async def test_a_reader_that_leaves_is_forgotten() -> None:
    """Nothing listens for it any longer."""
    async with house() as there:
        async with there.connect():
            await eventually(lambda: there.sample("controlplane_event_listeners") == 1)
        await eventually(lambda: there.sample("controlplane_event_listeners") == 0)
        await eventually(
            lambda: there.sample("controlplane_websockets_closed_total", code="1000") == 1
        )
