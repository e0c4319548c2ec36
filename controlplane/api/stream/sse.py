"""`GET /api/v1/stream`: server-sent events (WHATWG HTML, 9.2), resumed by `Last-Event-ID`."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from controlplane.api.responses import problems
from controlplane.api.stream.encoded import Encoded
from controlplane.api.surface import surface
from controlplane.events.event import Event, Kind
from controlplane.events.ports import Bus
from controlplane.model.duration import format_time

router = APIRouter(tags=["stream"])

PATH: Final = "/api/v1/stream"
# Proxies end connections on which nothing comes.
_BEAT_SECONDS: Final = 15.0
_BEAT: Final = b": \n\n"
# A reader comes back so long after a connection ended (milliseconds).
_RETRY: Final = b"retry: 1000\n\n"


def encode(event: Event) -> bytes:
    """Return an event as the lines of one message."""
    body = {"subject": event.subject, "time": format_time(event.time), **event.data}
    lines = (f"id: {event.id}", f"event: {event.kind.value}", "data: ")
    return "\n".join(lines).encode() + orjson.dumps(body) + b"\n\n"


@router.get(
    PATH,
    response_class=StreamingResponse,
    responses={
        **problems(),
        200: {
            "content": {"text/event-stream": {}},
            "description": "Events, until either side ends",
        },
    },
)
async def stream(
    request: Request,
    kind: Annotated[list[Kind] | None, Query(description="Only events of these kinds")] = None,
    after: Annotated[str, Query(description="The id to go on after", max_length=64)] = "",
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> StreamingResponse:
    """Send events from now on, or from the one after `Last-Event-ID` (or `after`) on."""
    bus, encoded = surface(request).bus, request.app.state.encoded
    body = events(bus, encoded, last_event_id or after, frozenset(kind or ()))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


async def events(
    bus: Bus, encoded: Encoded[bytes], after: str, kinds: Collection[Kind]
) -> AsyncIterator[bytes]:
    """Yield events as bytes, and a beat when none comes."""
    listening = bus.listen(after)
    coming: asyncio.Task[Sequence[Event]] | None = None
    yield _RETRY
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(listening))
            done, _ = await asyncio.wait((coming,), timeout=_BEAT_SECONDS)
            if not done:
                yield _BEAT
                continue
            found, coming = coming.result(), None
            if not found:
                return
            wanted = [e for e in found if not kinds or e.kind in kinds or e.kind is Kind.RESET]
            if wanted:
                yield b"".join(map(encoded, wanted))
    finally:
        if coming is not None:
            coming.cancel()


async def _next(listening: AsyncIterator[Sequence[Event]]) -> Sequence[Event]:
    try:
        return await anext(listening)
    except StopAsyncIteration:
        return ()
