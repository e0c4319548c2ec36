"""A name server on loopback that answers as a test tells it to, by UDP and by TCP."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, cast

A: Final = 1
CNAME: Final = 5
AAAA: Final = 28

# From a query's name and type to the messages that are sent back, built with its own bytes.
Reply = Callable[["Query"], list[bytes]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it came."""

    message: bytes
    name: str
    kind: int
    by_tcp: bool = False
    source: tuple[str, int] = ("", 0)

    @property
    def identifier(self) -> int:
        return int.from_bytes(self.message[:2], "big")

    def answer(
        self,
        *addresses: str,
        code: int = 0,
        truncated: bool = False,
        identifier: int | None = None,
        question: bytes | None = None,
        alias: str = "",
    ) -> bytes:
        """Return an answer: addresses of the type asked for, behind an alias if there is one."""
        number = self.identifier if identifier is None else identifier
        wanted = [x for x in addresses if (AAAA if ":" in x else A) == self.kind]
        records = b""
        if alias:
            target = wire(alias)
            records += b"\xc0\x0c" + struct.pack("!HHIH", CNAME, 1, 60, len(target)) + target
        for text in wanted:
            packed = ip_address(text).packed
            owner = wire(alias) if alias else b"\xc0\x0c"
            records += owner + struct.pack("!HHIH", self.kind, 1, 60, len(packed)) + packed
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        count = len(wanted) + bool(alias)
        asked = self.message[12:] if question is None else question
        return struct.pack("!HHHHHH", number, flags, 1, count, 0, 0) + asked + records


def wire(name: str) -> bytes:
    """Return a name as it stands in a message."""
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def parse(message: bytes, *, by_tcp: bool = False, source: tuple[str, int] = ("", 0)) -> Query:
    """Read a query."""
    labels, position = [], 12
    while size := message[position]:
        labels.append(message[position + 1 : position + 1 + size].decode())
        position += size + 1
    kind = int.from_bytes(message[position + 1 : position + 3], "big")
    return Query(message, ".".join(labels), kind, by_tcp, source)


@dataclass(slots=True)
class NameServer:
    """A running server, and the queries that came."""

    address: tuple[str, int]
    queries: list[Query] = field(default_factory=list)

    def asked(self) -> list[str]:
        """The names that were asked for, each once, in order."""
        return list(dict.fromkeys(query.name for query in self.queries))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply, queries: list[Query]) -> None:
        self._reply = reply
        self._queries = queries

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = parse(data, source=addr)
        self._queries.append(query)
        for message in self._reply(query):
            self._transport.sendto(message, addr)


@asynccontextmanager
async def name_server(reply: Reply, *, tcp: bool = True) -> AsyncIterator[NameServer]:
    """Serve on a free port, the same for UDP and TCP."""
    queries: list[Query] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        query = parse(await reader.readexactly(size), by_tcp=True)
        queries.append(query)
        for message in reply(query):
            writer.write(len(message).to_bytes(2, "big") + message)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    if not tcp:
        server.close()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Udp(reply, queries), address, family=socket.AF_INET
    )
    try:
        yield NameServer(address, queries)
    finally:
        transport.close()
        server.close()
