"""The data directory, and the kernel lock that keeps a second process out."""

import contextlib
import fcntl
import os
from pathlib import Path

from controlplane.errors import Conflict, InvalidInput

_LOCK = "LOCK"
_WAL = "wal"
_BLOCKS = "blocks"


class DataDirectory:
    """A directory held by this process until `close`, or until its end, however it ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def hold(cls, path: Path) -> "DataDirectory":
        """Create the directory where missing, and lock it.

        Raises Conflict when another process holds it, InvalidInput when it
        cannot be used.
        """
        try:
            (path / _WAL).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise InvalidInput(
                f"data directory {path} cannot be used: {error.strerror or error}"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Conflict(f"data directory {path} is in use by process {holder}") from None
        with contextlib.suppress(OSError):  # the number only helps people; a disk may be full
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(path, descriptor)

    @property
    def wal(self) -> Path:
        return self.path / _WAL

    @property
    def blocks(self) -> Path:
        return self.path / _BLOCKS

    def close(self) -> None:
        """Give the directory free."""
        os.close(self._descriptor)
