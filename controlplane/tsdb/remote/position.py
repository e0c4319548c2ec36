"""How far a receiver has come in the log, kept on disk.

A place is written after every request that was answered, so a killed process
asks at most one request a shard again, byte for byte the same: a receiver that
has it already takes it for what it is, and where it has only some parts of it,
it is divided again.

Each place is a line at the end of a file, of which the last intact one counts.
Replacing the file each time would have the file system write it out each time
(ext4 does), which was half of what a small round cost.
"""

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# A file that would become larger begins anew with one line.
_MOST_BYTES: Final = 1 << 16


class Position(NamedTuple):
    """A place between two records: the segment's number and an offset into it, in bytes."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What lies before `begin` is done with.

    Up to `end`, of each shard so many requests as `done` says, which were cut
    to hold at most `most` samples each.
    """

    begin: Position
    end: Position | None = None
    done: tuple[int, ...] = ()
    most: int = 0


class ProgressFile:
    """The progress of one receiver. Its methods block for as long as a small file takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failing = False
        # Of the file while all of it is ours, and intact.
        self._size: int | None = None

    def load(self) -> Progress | None:
        """Return what was saved last; None where there is nothing, or nothing that makes sense."""
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return None
        reason = ""
        for line in reversed(written.splitlines()):
            try:
                return _read(line)
            except (ValueError, TypeError, KeyError) as error:
                reason = reason or str(error)
        reason = reason or "it is empty"
        log.warning("remote write's place is damaged", file=str(self._path), reason=reason)
        return None

    @property
    def exists(self) -> bool:
        """Whether something was saved, be it readable or not."""
        return self._path.exists()

    def save(self, progress: Progress) -> None:
        """Add to what was saved. A full disk is logged, and costs no more than repetition.

        Not synced: a power cut costs the log its last second too.
        """
        text = json.dumps(asdict(progress), separators=(",", ":")).encode()
        line = b"%d %b\n" % (zlib.crc32(text), text)
        size, self._size = self._size, None
        try:
            if size is None or size + len(line) > _MOST_BYTES:
                size = 0
                self._begin_anew(line)
            else:
                with self._path.open("ab") as file:
                    file.write(line)
        except OSError as error:
            if not self._failing:
                log.error("remote write's place cannot be kept", reason=str(error))
            self._failing = True
        else:
            self._size, self._failing = size + len(line), False

    def _begin_anew(self, line: bytes) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(line)
        fresh.replace(self._path)

    def remove(self) -> None:
        """Forget it."""
        self._path.unlink(missing_ok=True)
        self._size = None


def _read(written: bytes) -> Progress:
    checksum, _, text = written.partition(b" ")
    if int(checksum) != zlib.crc32(text):
        raise ValueError("wrong checksum")
    saved = json.loads(text)
    begin = Position(*map(int, saved["begin"]))
    end = None if saved["end"] is None else Position(*map(int, saved["end"]))
    return Progress(begin, end, tuple(map(int, saved["done"])), int(saved["most"]))
