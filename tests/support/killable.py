"""Starts the notifier as a process, speaks to it, and kills it."""

import asyncio
import signal
import sys
from pathlib import Path

from tests.support.service import PATIENCE

_ROOT = Path(__file__).parents[2]


class Notifier:
    """The process under test; an attempt of its may take `timeout` milliseconds."""

    def __init__(self, directory: Path, url: str, *, timeout: int = 2_000) -> None:
        self._arguments = [str(directory), f"{url}/v2/enqueue", str(timeout)]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.notifier",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
        )
        await self._line("ready")

    def tell(self, command: str, name: str) -> None:
        """Give a command without waiting for it to be accepted."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command} {name}\n".encode())

    async def accepted(self) -> None:
        """Return once the next of the commands told was accepted."""
        await self._line("accepted")

    async def say(self, command: str, name: str) -> None:
        """Give a command and return once it was accepted."""
        self.tell(command, name)
        await self.accepted()

    async def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def _line(self, wanted: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            # Logs of the program share its output.
            while wanted not in (line := (await self._process.stdout.readline()).decode()):
                assert line, "the process ended by itself"
