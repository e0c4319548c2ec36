"""An HTTP/3 server on loopback that answers every request alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


@dataclass(slots=True)
class Http3Site:
    """A running server, and the pseudo-headers and headers of what was asked."""

    port: int = 0
    requests: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"https://127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def http3(certificate: Path, key: Path, body: bytes) -> AsyncIterator[Http3Site]:
    """Serve `body` with status 200 to everyone."""
    site = Http3Site()

    class Connection(QuicConnectionProtocol):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self._http = H3Connection(self._quic)

        def quic_event_received(self, event: QuicEvent) -> None:
            for each in self._http.handle_event(event):
                if isinstance(each, HeadersReceived):
                    self._answer(each)

        def _answer(self, asked: HeadersReceived) -> None:
            site.requests.append({name.decode(): value.decode() for name, value in asked.headers})
            length = str(len(body)).encode()
            self._http.send_headers(
                asked.stream_id, [(b":status", b"200"), (b"content-length", length)]
            )
            self._http.send_data(asked.stream_id, body, end_stream=True)
            self.transmit()

    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(certificate, key)
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Connection)
    transport: Any = server._transport
    site.port = transport.get_extra_info("sockname")[1]
    try:
        yield site
    finally:
        server.close()
