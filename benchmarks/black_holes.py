"""Peers that never answer, each in its own way, on loopback."""

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class BlackHoles:
    """A port that answers no connect, one that accepts and stays silent, a mute name server."""

    def __init__(self) -> None:
        self._opened: list[socket.socket] = []
        self.unreachable = self._full()
        self._accepting = self._listen(4096)
        self.silent: int = self._accepting.getsockname()[1]
        mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mute.bind(("127.0.0.1", 0))
        self._opened.append(mute)
        self.name_server: int = mute.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._accept, name="silent", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for opened in self._opened:
            opened.close()

    def _listen(self, backlog: int) -> socket.socket:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(backlog)
        self._opened.append(listening)
        return listening

    def _full(self) -> int:
        """Return a port whose queue is full, so that the kernel drops what asks to connect."""
        listening = self._listen(0)
        port: int = listening.getsockname()[1]
        for _ in range(8):
            waiting = socket.socket()
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's signature
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
            self._opened.append(waiting)
        return port

    def _accept(self) -> None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.read()  # to its end: until the prober gives up
            writer.close()

        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(hold, sock=self._accepting))
        self._loop.run_forever()
