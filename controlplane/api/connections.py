"""A bound on the number of connections and on the time of a request's head.

The layers above see a request once its head is there; what comes before, and
who comes at all, only the server's protocol can bound.
"""

from asyncio import BaseTransport, Task, TimerHandle, Transport
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, cast

from prometheus_client import CollectorRegistry, Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

# So long after a WebSocket was closed its reader may still take what was sent.
_LAST_SECONDS: Final = 5.0
# Whoever connected when the process was about to end has so long to be heard.
_LAST_HEAD_SECONDS: Final = 0.5
_REFUSALS: Final[Mapping[str, bytes]] = {
    "slow_head": b"408 Request Timeout",
    "large_head": b"431 Request Header Fields Too Large",
    "too_many": b"503 Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """A head must be whole within `head_seconds` and `head_bytes`; `most` are open at once."""

    head_seconds: float = 10.0
    head_bytes: int = 64 << 10
    most: int = 2_000


class ConnectionMetrics:
    """What is counted of connections."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "controlplane_http_connections_refused",
            "Connections closed before a request was read, by reason.",
            ["reason"],
            registry=registry,
        )
        for reason in _REFUSALS:
            self.refused.labels(reason)


def bounded(limits: ConnectionLimits, metrics: ConnectionMetrics) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol under the limits."""

    class Bounded(_BoundedProtocol):
        _limits = limits
        _metrics = metrics

    return Bounded


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, for readers that stop reading.

    Closing waits until all is sent, and so for them for ever: what they do not
    take within a few seconds is thrown away.
    """

    def on_task_complete(self, task: "Task[None]") -> None:
        super().on_task_complete(task)
        self.loop.call_later(_LAST_SECONDS, self.transport.abort)

    async def send(self, message: "ASGISendEvent") -> None:
        if message["type"] == "websocket.close":
            # A few bytes that say why, behind whatever is in the buffer.
            self.writable.set()
        await super().send(message)


class _Reading(Enum):
    """What comes next on a connection."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class _BoundedProtocol(HttpToolsProtocol):
    """Times each head: the first one from the connection on, others from their first byte."""

    _limits: ConnectionLimits
    _metrics: ConnectionMetrics
    _timer: TimerHandle | None = None
    _reading = _Reading.HEAD
    _head_size = 0
    _asked = False  # a request has come, so there is a cycle

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("Transport", transport))
        if len(self.connections) > self._limits.most:
            self._refuse("too_many")
            return
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._reading is _Reading.NOTHING:
            # A head, or empty lines without end in place of one.
            self._begin_head()
        elif self._reading is _Reading.BODY and self.cycle.response_complete:
            # Nobody waits for the rest of it, and the server's own timer stops at each byte.
            self._time()
        if self._reading is _Reading.HEAD:
            self._head_size += len(data)
        super().data_received(data)
        if self._reading is _Reading.HEAD and self._head_size > self._limits.head_bytes:
            self._refuse("large_head")

    def shutdown(self) -> None:
        """End the connection: at once when nothing is said on it, else after the answer."""
        if self._reading is _Reading.HEAD:
            # Just opened, or in the middle of a head: the request may be on its way.
            self.loop.call_later(_LAST_HEAD_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        if self._reading is not _Reading.HEAD:
            self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._reading, self._asked = _Reading.BODY, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_timer()
        self._reading = _Reading.NOTHING
        super().on_message_complete()

    def _begin_head(self) -> None:
        self._reading, self._head_size = _Reading.HEAD, 0
        self._time()

    def _time(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._asked and not self.cycle.response_complete:
            # The request before it is still being answered.
            self._time()
            return
        self._refuse("slow_head")

    def _refuse(self, reason: str) -> None:
        if self.transport.is_closing():
            return
        self._stop_timer()
        self._metrics.refused.labels(reason).inc()
        status = _REFUSALS[reason]
        head = b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status
        self.transport.write(head)
        self.transport.close()
