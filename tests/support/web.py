"""A server on loopback that answers each connection as a test tells it to, byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Web:
    """A running server, and the heads and bodies of the requests that came."""

    port: int
    scheme: str = "http"
    requests: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


def answer(
    status: str = "200 OK", body: bytes = b"", headers: tuple[str, ...] = (), *, length: bool = True
) -> bytes:
    """Return a whole HTTP/1.1 response that ends its connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@asynccontextmanager
async def web(
    respond: bytes | Callable[[str], bytes] = b"",
    *,
    context: ssl.SSLContext | None = None,
    handler: Handler | None = None,
) -> AsyncIterator[Web]:
    """Serve fixed bytes, or what a function makes of the path; `handler` does all by itself."""
    site = Web(0, "https" if context is not None else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if handler is not None:
                await handler(reader, writer)
                return
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = next(
                (int(x.split(":")[1]) for x in head.lower().split("\r\n") if "content-length" in x),
                0,
            )
            site.requests.append(head + (await reader.readexactly(size)).decode("latin-1"))
            path = head.split(" ", 2)[1]
            writer.write(respond if isinstance(respond, bytes) else respond(path))
            await writer.drain()
        except (OSError, EOFError):
            pass  # the client went away, as some tests want
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
