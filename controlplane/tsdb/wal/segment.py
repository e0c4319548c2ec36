"""One file of the log, written at its end only."""

import os
from pathlib import Path

from controlplane.clock import Timestamp
from controlplane.tsdb.sift import NEVER

SUFFIX = ".wal"


class Segment:
    """A segment open for appending. Tests stand a failing disk in by a subclass."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.latest: Timestamp = NEVER
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def append(self, record: bytes) -> None:
        """Hand a record to the operating system, whole or not at all. Raises OSError."""
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[self.write(rest) :]
        except OSError:
            self._undo()
            raise
        self.size += len(record)

    def write(self, data: memoryview) -> int:
        """Write some of `data` and return how much."""
        return os.write(self._fd, data)

    def duplicate(self) -> int:
        """Return a descriptor of its own for who syncs the file in the background."""
        return os.dup(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def _undo(self) -> None:
        # A part of a record would be damage to the reader; where even this
        # fails, the reader finds the next record by its magic.
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            self.size = os.fstat(self._fd).st_size
        os.lseek(self._fd, self.size, os.SEEK_SET)


def segments(directory: Path) -> list[Path]:
    """Return the files of a log, oldest first."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


def numbered(directory: Path, number: int) -> Path:
    return directory / f"{number:08d}{SUFFIX}"
