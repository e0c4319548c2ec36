"""`controlplane` as a process of its own, without the seconds that its imports take.

A warm process, one for each process of the tests, has imported the program and
does nothing else; from it those that tests start are forked. Each has its own
environment, output and signals, and may be killed. That `python -m controlplane`
starts as well is shown where it is the point (tests/acceptance/test_lifecycle.py).
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Final

from tests.support import namespace

_PROGRAM: Final = ["controlplane.cli.main", "controlplane.cli.serve"]


class WarmProcess:
    """A running command; used as one of `asyncio.subprocess` is."""

    def __init__(
        self,
        process: ForkServerProcess,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader | None,
    ) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.stdout = stdout
        self.stderr = stderr
        self._process = process
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(process.sentinel, self._on_end)

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        await self._ended.wait()
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return its output and errors once it has ended."""
        out, errors = await asyncio.gather(self.stdout.read(), _rest(self.stderr))
        await self.wait()
        return out, errors

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._ended.set()


async def start(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    apart: bool = False,
    network: str | None = None,
) -> WarmProcess:
    """Start a command; its errors are in its output unless they are kept `apart`.

    `network` is the name of the network namespace that it is to be in.
    """
    out, its_out = os.pipe()
    errors, its_errors = os.pipe() if apart else (None, None)
    process = context().Process(
        target=_run,
        args=(
            tuple(words),
            dict(environment),
            Connection(its_out, readable=False),
            None if its_errors is None else Connection(its_errors, readable=False),
            network,
        ),
        daemon=True,
    )
    # Starting waits for an answer of the warm process, which at first has to import.
    await asyncio.to_thread(process.start)
    stderr = None if errors is None else await _reader(errors)
    return WarmProcess(process, await _reader(out), stderr)


@lru_cache(maxsize=1)
def context() -> ForkServerContext:
    """Return what forks processes that have the program's imports already."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(_PROGRAM)
    return made


def imported() -> frozenset[str]:
    """Return the modules that are there when `controlplane serve` begins."""
    receiver, sender = context().Pipe(duplex=False)
    process = context().Process(target=_tell_modules, args=(sender,))
    process.start()
    sender.close()
    with receiver:
        found: frozenset[str] = receiver.recv()
    process.join()
    return found


def _tell_modules(to: Connection) -> None:
    to.send(frozenset(sys.modules))


def _run(
    words: Sequence[str],
    environment: Mapping[str, str],
    out: Connection,
    errors: Connection | None,
    network: str | None,
) -> None:
    """Be `python -m controlplane`, in the process that was forked."""
    from controlplane.cli.main import main

    if network is not None:
        namespace.enter(network)
    os.dup2(out.fileno(), 1)
    os.dup2((errors or out).fileno(), 2)
    for each in (out, errors):
        if each is not None:
            each.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    raise SystemExit(main(words))


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader


async def _rest(reader: asyncio.StreamReader | None) -> bytes:
    return b"" if reader is None else await reader.read()
