"""What of a block was deleted since it was written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Refs
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.meta import read_checked, write_checked
from controlplane.tsdb.runs import Samples


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The samples within [start, end] of `rows`, which rise."""

    rows: Refs
    start: Timestamp
    end: Timestamp


@dataclass(frozen=True, slots=True)
class Tombstones:
    """All deletions of one block."""

    stones: tuple[Tombstone, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stones)

    @property
    def series(self) -> int:
        """How many series have samples deleted."""
        rows = [stone.rows for stone in self.stones]
        return len(np.unique(np.concatenate(rows))) if rows else 0

    def plus(self, added: Tombstone) -> "Tombstones":
        """Return these with one more; those of one range become one."""
        others = []
        for stone in self.stones:
            if (stone.start, stone.end) == (added.start, added.end):
                added = Tombstone(np.union1d(stone.rows, added.rows), added.start, added.end)
            else:
                others.append(stone)
        return Tombstones((*others, added))

    def without_deleted(self, rows: Refs, samples: Samples) -> Samples:
        """Leave out what was deleted of the samples of `rows`."""
        gone = np.zeros(len(samples.times), dtype=np.bool_)
        owners: Refs | None = None
        for stone in self.stones:
            dead = np.isin(rows, stone.rows)
            if not dead.any():
                continue
            owners = samples.owners() if owners is None else owners
            within = (samples.times >= stone.start) & (samples.times <= stone.end)
            gone |= dead[owners] & within
        return runs.keep(samples, ~gone) if gone.any() else samples

    def write(self, path: Path) -> None:
        """Write them to a file. Raises OSError."""
        told = [[s.start, s.end, s.rows.tolist()] for s in self.stones]
        write_checked(path, {"tombstones": told})

    @classmethod
    def read(cls, path: Path) -> "Tombstones":
        """Return what a file holds, nothing where there is none. Raises Corrupt, OSError."""
        if not path.exists():
            return cls()
        try:
            return cls(tuple(_stones(read_checked(path)["tombstones"])))
        except (KeyError, TypeError, ValueError) as error:
            raise Corrupt(f"bad {path.name}: {error}") from None


def _stones(told: Iterable[tuple[Timestamp, Timestamp, list[int]]]) -> Iterable[Tombstone]:
    for start, end, rows in told:
        yield Tombstone(np.array(rows, dtype=np.int64), int(start), int(end))
