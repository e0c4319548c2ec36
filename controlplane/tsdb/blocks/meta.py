"""What a block says of itself: `meta.json`, which makes a directory a block."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from controlplane.clock import Duration, Timestamp
from controlplane.tsdb.blocks.errors import Corrupt

VERSION: Final = 1
META: Final = "meta.json"
INDEX: Final = "index"
CHUNKS: Final = "chunks"
TOMBSTONES: Final = "tombstones.json"


@dataclass(frozen=True, slots=True)
class BlockMeta:
    """A block's name, range of time [min_time, max_time), numbers and origin.

    `level` is 1 for what came from the head; `parents` are the blocks that it
    replaces. `late_until` is the number of the log's segment before which
    all late samples are in blocks by now (0: says nothing).
    """

    name: str
    min_time: Timestamp
    max_time: Timestamp
    samples: int
    series: int
    chunk_bytes: int
    level: int = 1
    parents: tuple[str, ...] = ()
    late_until: int = 0
    histograms: int = 0
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> Duration:
        return self.max_time - self.min_time

    def overlaps(self, other: "BlockMeta") -> bool:
        return self.min_time < other.max_time and other.min_time < self.max_time


def write_meta(path: Path, meta: BlockMeta) -> None:
    """Write `meta.json`. Raises OSError."""
    write_checked(path, {"version": VERSION, **asdict(meta)})


def read_meta(path: Path) -> BlockMeta:
    """Return what `write_meta` wrote. Raises Corrupt, OSError."""
    told = read_checked(path)
    version = told.pop("version", None)
    if version != VERSION:
        raise Corrupt(f"{path.name} is of version {version}, not {VERSION}")
    try:
        return BlockMeta(**{**told, "parents": tuple(told["parents"])})
    except (TypeError, KeyError) as error:
        raise Corrupt(f"bad {path.name}: {error}") from None


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON and its checksum. Raises OSError."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    path.write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")


def read_checked(path: Path) -> dict[str, Any]:
    """Return what `write_checked` wrote. Raises Corrupt, OSError."""
    try:
        text, checksum, _ = path.read_text().split("\n")
        if int(checksum, 16) != zlib.crc32(text.encode()):
            raise Corrupt(f"checksum mismatch in {path.name}")
        content: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise Corrupt(f"bad {path.name}: {error}") from None
    return content
