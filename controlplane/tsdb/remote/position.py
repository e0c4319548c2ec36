"""How far a receiver has come in the log, kept on disk.

A place is written after every request that was answered, so a killed process
asks at most one request a shard again, byte for byte the same: a receiver that
has it already takes it for what it is, and where it has only some parts of it,
it is divided again.
"""

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)


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

    def load(self) -> Progress | None:
        """Return what was saved; None where there is nothing, or nothing that makes sense."""
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _read(written)
        except (ValueError, TypeError, KeyError) as error:
            log.warning("remote write's place is damaged", file=str(self._path), reason=str(error))
            return None

    @property
    def exists(self) -> bool:
        """Whether something was saved, be it readable or not."""
        return self._path.exists()

    def save(self, progress: Progress) -> None:
        """Replace what was saved. A full disk is logged, and costs no more than repetition.

        Not synced: a power cut costs the log its last second too.
        """
        text = json.dumps(asdict(progress), separators=(",", ":")).encode()
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_bytes(b"%d %b" % (zlib.crc32(text), text))
            fresh.replace(self._path)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("remote write's place cannot be kept", reason=str(error))
            self._failing = True

    def remove(self) -> None:
        """Forget it."""
        self._path.unlink(missing_ok=True)


def _read(written: bytes) -> Progress:
    checksum, _, text = written.partition(b" ")
    if int(checksum) != zlib.crc32(text):
        raise ValueError("wrong checksum")
    saved = json.loads(text)
    begin = Position(*map(int, saved["begin"]))
    end = None if saved["end"] is None else Position(*map(int, saved["end"]))
    return Progress(begin, end, tuple(map(int, saved["done"])), int(saved["most"]))
