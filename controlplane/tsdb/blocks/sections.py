"""Arrays in one file that is mapped into memory: found by name, each with a checksum."""

import mmap
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.packing import Column

_ALIGN: Final = 8


@dataclass(frozen=True, slots=True)
class Section:
    """Where an array stands in the file."""

    offset: int
    length: int
    type: str
    crc32: int


def write_sections(path: Path, columns: Mapping[str, Column]) -> dict[str, dict[str, object]]:
    """Write arrays one after the other; return the directory for `Sections`. Raises OSError."""
    directory, position = {}, 0
    with path.open("xb") as file:
        for name, column in columns.items():
            data = np.ascontiguousarray(column).tobytes()
            file.write(data + bytes(-len(data) % _ALIGN))
            kind = column.dtype.newbyteorder("<").str
            directory[name] = asdict(Section(position, len(data), kind, zlib.crc32(data)))
            position += len(data) + -len(data) % _ALIGN
    return directory


class Sections:
    """The reading side: arrays that are pages of the file, paged in when looked at."""

    def __init__(self, path: Path, directory: Mapping[str, Mapping[str, Any]]) -> None:
        """Map the file and verify it. Raises Corrupt, OSError."""
        with path.open("rb") as file:
            size = path.stat().st_size
            whole = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b"")
        self._columns: dict[str, Column] = {}
        for name, entry in directory.items():
            try:
                section = Section(**entry)
                data = whole[section.offset : section.offset + section.length]
                good = len(data) == section.length and zlib.crc32(data) == section.crc32
                column = np.frombuffer(data, dtype=section.type) if good else None
            except (TypeError, ValueError) as error:
                raise Corrupt(f"bad directory entry {name!r}: {error}") from None
            if column is None:
                raise Corrupt(f"checksum mismatch in section {name!r} of {path.name}")
            self._columns[name] = column

    def __getitem__(self, name: str) -> Column:
        """Return an array. Raises Corrupt where there is none of that name."""
        try:
            return self._columns[name]
        except KeyError:
            raise Corrupt(f"no section {name!r}") from None
