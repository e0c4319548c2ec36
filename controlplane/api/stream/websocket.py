"""`/api/v1/stream` as a WebSocket (RFC 6455): the same events, a JSON message each.

What the reader sends changes what it is told from then on, so that one
connection is enough for a page whose filters change.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Annotated, Any, Final, cast

import orjson
from fastapi import APIRouter, WebSocket
from prometheus_client import CollectorRegistry, Counter, Gauge
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from controlplane.api.problems import answer
from controlplane.api.stream.encoded import Encoded
from controlplane.api.stream.sse import PATH
from controlplane.api.surface import Surface
from controlplane.errors import InvalidInput, Overloaded
from controlplane.events.event import Event, Kind
from controlplane.events.ports import Bus
from controlplane.model.duration import format_time
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

router = APIRouter(tags=["stream"])

SUBPROTOCOL: Final = "controlplane.v1"
# Open at once; each costs a task and the buffers of a connection.
_MOST: Final = 1_000
_LONGEST_SECONDS: Final = 3_600.0
# A reader whose buffers are full for so long is told to come back.
_PATIENCE: Final = 10.0
_GOODBYE: Final = 1.0


class Close(IntEnum):
    """Why a connection ends (RFC 6455, 7.4.1, and the registry of codes there)."""

    HOUR_OVER = 1001
    UNUSABLE = 1008
    ENDING = 1012
    TOO_SLOW = 1013


_REASONS: Final = {
    Close.HOUR_OVER: "an hour is over: come back",
    Close.UNUSABLE: "a message is not what is taken here",
    Close.ENDING: "the service ends: come back",
    Close.TOO_SLOW: "events are read too slowly: come back",
}


class Wanted(BaseModel):
    """What a reader asks for: the id to go on after, and only events of some kinds."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(max_length=64)] = ""
    kinds: Annotated[frozenset[Kind], Field(max_length=len(Kind))] = frozenset()


class Sockets:
    """The WebSockets that are open: how many there may be, and what is counted of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.encoded = Encoded(encode)
        self._count = 0
        self._open = Gauge(
            "controlplane_websockets", "WebSockets that are open.", registry=registry
        )
        self._closed = Counter(
            "controlplane_websockets_closed_total",
            "WebSockets that were closed, by the code of it: the reader's, or ours.",
            ["code"],
            registry=registry,
        )
        for code in Close:
            self._closed.labels(code)

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a connection while it is open. Raises Overloaded when there are too many."""
        if self._count >= _MOST:
            raise Overloaded(f"{_MOST} WebSockets are open", retry_after=10)
        self._count += 1
        self._open.inc()
        try:
            yield
        finally:
            self._count -= 1
            self._open.dec()

    def ended(self, code: int) -> None:
        """Count the end of a connection. Codes that nobody registered are one."""
        self._closed.labels(code if code < 3_000 else "other").inc()


def encode(event: Event) -> str:
    """Return an event as the text of one message."""
    fields = {
        "id": event.id,
        "kind": event.kind.value,
        "subject": event.subject,
        "time": format_time(event.time),
        "data": dict(event.data),
    }
    return orjson.dumps(fields).decode()


@router.websocket(PATH)
async def stream(socket: WebSocket) -> None:
    """Send events from now on, or from the one after `after` on, until either side ends."""
    sockets = cast("Sockets", socket.app.state.sockets)
    bus = cast("Surface", socket.app.state.surface).bus
    with correlated(new_correlation_id()):
        try:
            wanted = _asked(socket)
            with sockets.one_more():
                await _converse(socket, sockets, bus, wanted)
        except (InvalidInput, Overloaded) as error:
            await socket.send_denial_response(answer(PATH, error))


def _asked(socket: WebSocket) -> Wanted:
    parameters = socket.query_params
    try:
        return Wanted.model_validate(
            {"after": parameters.get("after", ""), "kinds": parameters.getlist("kind")}
        )
    except ValidationError as error:
        raise InvalidInput("; ".join(str(each["msg"]) for each in error.errors())) from None


async def _converse(socket: WebSocket, sockets: Sockets, bus: Bus, wanted: Wanted) -> None:
    offered = SUBPROTOCOL in socket.scope["subprotocols"]
    await socket.accept(SUBPROTOCOL if offered else None)
    conversation = _Conversation(socket, bus, sockets.encoded, wanted)
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            code: int = await conversation.run()
    except TimeoutError:
        code = Close.HOUR_OVER
    except WebSocketDisconnect as gone:
        code = gone.code
    finally:
        await conversation.end()
    sockets.ended(code)
    log.info("websocket closed", path=PATH, code=code, client=_address(socket))
    if code in _REASONS and socket.application_state is WebSocketState.CONNECTED:
        await _say_goodbye(socket, Close(code))


class _Conversation:
    """One connection: what it listens to, and what its reader says meanwhile."""

    def __init__(self, socket: WebSocket, bus: Bus, encoded: Encoded[str], wanted: Wanted) -> None:
        self._socket = socket
        self._bus = bus
        self._encoded = encoded
        self._kinds: Collection[Kind] = wanted.kinds
        self._listening = bus.listen(wanted.after)
        self._coming: asyncio.Task[Sequence[Event]] | None = None
        self._asking: asyncio.Task[Any] | None = None

    async def run(self) -> int:
        """Send what happens until either side ends; return the code of it."""
        while True:
            self._coming = self._coming or asyncio.ensure_future(_next(self._listening))
            self._asking = self._asking or asyncio.ensure_future(self._socket.receive())
            both = (self._coming, self._asking)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._asking.done():
                message, self._asking = self._asking.result(), None
                code = await self._hear(message)
            else:
                events, self._coming = self._coming.result(), None
                code = await self._tell(events) if events else Close.ENDING
            if code is not None:
                return code

    async def end(self) -> None:
        """Stop listening to either side."""
        tasks = [task for task in (self._coming, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, events: Sequence[Event]) -> int | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                for event in events:
                    if not self._kinds or event.kind in self._kinds or event.kind is Kind.RESET:
                        await self._socket.send_text(self._encoded(event))
        except TimeoutError:
            return Close.TOO_SLOW
        return None

    async def _hear(self, message: Any) -> int | None:
        if message["type"] == "websocket.disconnect":
            return int(message.get("code") or 1005)
        try:
            wanted = Wanted.model_validate_json(message.get("text") or b"")
        except ValidationError:
            return Close.UNUSABLE
        self._kinds = wanted.kinds
        if wanted.after:
            if self._coming is not None:
                self._coming.cancel()
                await asyncio.gather(self._coming, return_exceptions=True)
            self._coming = None
            self._listening = self._bus.listen(wanted.after)
        return None


async def _next(listening: AsyncIterator[Sequence[Event]]) -> Sequence[Event]:
    try:
        return await anext(listening)
    except StopAsyncIteration:
        return ()


async def _say_goodbye(socket: WebSocket, code: Close) -> None:
    # Whoever does not read may not read this either.
    with suppress(TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(_GOODBYE):
            await socket.close(code, _REASONS[code])


def _address(socket: WebSocket) -> str:
    return "" if socket.client is None else socket.client.host
