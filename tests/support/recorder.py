"""A service on loopback that takes every request, answers as it is told, and keeps what came."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its body as JSON, as the fields of a form, or as text."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Answers = Callable[[Request], web.Response]


def fine(_request: Request) -> web.Response:
    """Say yes."""
    return web.json_response({})


@dataclass
class Recorder:
    """The running service."""

    url: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Return when a request has made the condition true. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(condition)

    async def take(self, request: web.Request) -> Request:
        taken = Request(
            request.method,
            request.path,
            dict(request.query),
            dict(request.headers),
            await _body(request),
        )
        async with self._arrived:
            self.requests.append(taken)
            self._arrived.notify_all()
        return taken


async def _body(request: web.Request) -> Any:
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(await request.post())
    text = await request.text()
    if request.content_type == "application/json" and text:
        return json.loads(text)
    return text


@asynccontextmanager
async def recorder(
    answers: Answers = fine, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[Recorder]:
    """Run one for the length of a block; with a `context` it speaks TLS."""
    service = Recorder()

    async def handle(request: web.Request) -> web.StreamResponse:
        return answers(await service.take(request))

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "http" if context is None else "https"
        service.port = runner.addresses[0][1]
        service.url = f"{scheme}://127.0.0.1:{service.port}"
        yield service
    finally:
        await runner.cleanup()
