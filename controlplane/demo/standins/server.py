"""What all stand-ins share: a loopback server, faults, and a record of what came."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from controlplane.demo.standins.faults import Fault, Manner
from controlplane.demo.standins.received import Received

# Called for each message that was accepted.
OnMessage = Callable[[Received], None]
# Called for each request before it is obeyed: a fault, or None.
Script = Callable[[], Fault | None]

_LARGEST_BODY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service."""

    status: int
    body: Mapping[str, Any] | str


class StandIn(ABC):
    """A server on a free loopback port, as an asynchronous context manager.

    Subclasses implement `obey`. `received` holds what was accepted, `refused`
    what was found wrong with other requests, `requests` counts all of them.
    """

    def __init__(self, *, on_message: OnMessage | None = None) -> None:
        self.received: list[Received] = []
        self.refused: list[str] = []
        self.requests = 0
        self._on_message = on_message
        self._faults: deque[Fault] = deque()
        self._script: Script | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        self._stopping.clear()
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and cut what is open; `start` begins anew, the state stays."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def fail_next(self, *faults: Fault) -> None:
        """Have the next requests fail, one fault each."""
        self._faults.extend(faults)

    def fail_by(self, script: Script | None) -> None:
        """Ask `script` about each request from now on; None ends it."""
        self._script = script

    def fail_always(self, fault: Fault) -> None:
        """Have every request fail until `heal`."""
        self._script = lambda: fault

    def heal(self) -> None:
        """Fail no more."""
        self._script = None
        self._faults.clear()

    async def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Return when a request has made the condition true. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    def accept(self, message: Received) -> None:
        """Record a message."""
        self.received.append(message)
        if self._on_message is not None:
            self._on_message(message)

    @abstractmethod
    async def obey(self, request: web.Request) -> Reply:
        """Do what the request says, or refuse it as the real service would."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        try:
            fault = self._faults.popleft() if self._faults else self._scripted()
            if fault is None:
                return _response(await self.obey(request))
            if fault.after:
                await self.obey(request)
            return await self._fail(request, fault)
        finally:
            self._arrived.set()

    def _scripted(self) -> Fault | None:
        return self._script() if self._script is not None else None

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.manner is Manner.ANSWER:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.Response(status=fault.status, text="out of order", headers=headers)
        if fault.manner is Manner.HANG:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), fault.seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _response(reply: Reply) -> web.Response:
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body)
    return web.json_response(dict(reply.body), status=reply.status)
