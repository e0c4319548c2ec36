"""Wires on this machine that can be cut: a server seen through one goes away without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 16

# Where a wire leads: a port on loopback, or the socket of PostgreSQL's directory.
Far = int | Path


class Wire:
    """Carries bytes from a port of its own to a server. Cut, it swallows them.

    A cut wire answers nothing, as a network that drops packets: who waits
    at its end learns of it by a time-out only.
    """

    def __init__(self, far: Far, host: str) -> None:
        self._far = far
        self._host = host
        self._whole = asyncio.Event()
        self._whole.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"{self._host}:{self.port}"

    async def start(self) -> None:
        """Take a free port."""
        self._server = await asyncio.start_server(self._open, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Carry nothing more, in either direction, until `mend`."""
        self._whole.clear()

    def mend(self) -> None:
        """Carry again, also what was held."""
        self._whole.set()

    async def close(self) -> None:
        """Give up all connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio's complains of one that is cancelled.
        task = asyncio.create_task(self._serve(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._whole.wait()
            far_reader, far_writer = await self._connect()
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._carry(reader, far_writer))
                    both.create_task(self._carry(far_reader, writer))
            finally:
                far_writer.close()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._far, Path):
            return await asyncio.open_unix_connection(self._far)
        return await asyncio.open_connection("127.0.0.1", self._far)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._whole.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wire(far: Far, host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """Give a whole wire from a port at `host`, gone at the end of the block."""
    made = Wire(far, host)
    await made.start()
    try:
        yield made
    finally:
        await made.close()
