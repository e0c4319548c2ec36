"""Proxies on loopback that carry bytes for real: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

_VERSION: Final = 5
_NO_LOGIN, _PASSWORD, _NONE_OF_THESE = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_REFUSED: Final = 5

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Proxy:
    """A running proxy: where it was asked to connect to, by what login, with which headers.

    Names lead to loopback: there is nothing else; with `leads_to` everything leads to that port
    there. With a `login` it takes no other.
    """

    login: tuple[str, str] | None = None
    port: int = 0
    leads_to: int = 0
    asked: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)


async def _socks(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    version, count = await reader.readexactly(2)
    offered = await reader.readexactly(count)
    wanted = _NO_LOGIN if proxy.login is None else _PASSWORD
    if version != _VERSION or wanted not in offered:
        writer.write(bytes([_VERSION, _NONE_OF_THESE]))
        return
    writer.write(bytes([_VERSION, wanted]))
    if wanted == _PASSWORD and not await _logs_in(proxy, reader, writer):
        return
    _, _, _, kind = await reader.readexactly(4)
    host = await _host(reader, kind)
    port = int.from_bytes(await reader.readexactly(2), "big")
    proxy.asked.append(f"{host}:{port}")
    try:
        far = await _connect(host, port)
    except OSError:
        writer.write(bytes([_VERSION, _REFUSED, 0, _IPV4]) + bytes(6))
        return
    writer.write(bytes([_VERSION, 0, 0, _IPV4]) + bytes(6))
    await _carry((reader, writer), far)


async def _logs_in(
    proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    _, size = await reader.readexactly(2)
    user = (await reader.readexactly(size)).decode()
    password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    proxy.logins.append((user, password))
    good = (user, password) == proxy.login
    writer.write(bytes([1, 0 if good else 1]))
    return good


async def _host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == _NAME:
        return (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    return str(ip_address(await reader.readexactly(4 if kind == _IPV4 else 16)))


async def _tunnel(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    proxy.heads.append(head)
    method, authority, _ = head.split(" ", 2)
    if method != "CONNECT":
        writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        return
    proxy.asked.append(authority)
    host, _, port = authority.rpartition(":")
    far = await _connect(host.strip("[]"), proxy.leads_to or int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await _carry((reader, writer), far)


async def _connect(host: str, port: int) -> Streams:
    try:
        ip_address(host)
    except ValueError:
        host = "127.0.0.1"
    return await asyncio.open_connection(host, port)


async def _carry(near: Streams, far: Streams) -> None:
    """Carry bytes both ways until either side has ended."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    ways = [asyncio.ensure_future(one_way(near[0], far[1]))]
    ways.append(asyncio.ensure_future(one_way(far[0], near[1])))
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far[1].close()
        with suppress(OSError):
            await far[1].wait_closed()


_Speaks = Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _proxy(speaks: _Speaks, proxy: Proxy) -> AsyncIterator[Proxy]:
    serving: set[asyncio.Future[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Either side may go away at any time.
        with suppress(OSError, EOFError):
            try:
                await speaks(proxy, reader, writer)
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def socks_proxy(login: tuple[str, str] | None = None) -> AsyncIterator[Proxy]:
    """Run a SOCKS5 proxy."""
    async with _proxy(_socks, Proxy(login)) as proxy:
        yield proxy


@asynccontextmanager
async def connect_proxy(leads_to: int = 0) -> AsyncIterator[Proxy]:
    """Run an HTTP proxy that only tunnels, wherever it is asked or to one port."""
    async with _proxy(_tunnel, Proxy(leads_to=leads_to)) as proxy:
        yield proxy
