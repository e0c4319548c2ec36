"""The blocks of a store as one immutable set, and the series that are in blocks only."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.identity import Identities

# Series that memory does not know have numbers from here on; the head's stay below.
STRANGERS: Final = 2**40

# Returns the label sets of series by number.
LabelsOf = Callable[[Refs], Sequence[Labels]]

_numbers = count(1)


class Strangers:
    """Numbers of series that were asked for and are not in memory. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, int], int] = {}
        self._places: list[tuple[Block, int]] = []
        self._identities: list[tuple[int, int]] = []

    def numbers(self, block: Block, rows: Refs) -> Refs:
        """Return the numbers of series of a block, the same ones every time."""
        identities = block.identities.take(rows)
        pairs = zip(identities.high.tolist(), identities.low.tolist(), strict=True)
        with self._lock:
            found = [
                self._number(pair, block, row)
                for pair, row in zip(pairs, rows.tolist(), strict=True)
            ]
        return np.array(found, dtype=np.int64) + STRANGERS

    def labels(self, numbers: Refs) -> list[Labels]:
        places = [self._places[number - STRANGERS] for number in numbers.tolist()]
        return [block.index.labels(np.array([row]))[0] for block, row in places]

    def identities(self, numbers: Refs) -> Identities:
        pairs = [self._identities[number - STRANGERS] for number in numbers.tolist()]
        halves = np.array(pairs, dtype=np.uint64).reshape(-1, 2)
        return Identities(halves[:, 0].copy(), halves[:, 1].copy())

    def _number(self, pair: tuple[int, int], block: Block, row: int) -> int:
        number = self._known.get(pair)
        if number is None:
            number = self._known[pair] = len(self._places)
            self._identities.append(pair)
            self._places.append((block, row))
        return number


class Archive:
    """Blocks by time. Another set of blocks is another archive with another number."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.number = next(_numbers)
        self.blocks: Sequence[Block] = tuple(
            sorted(blocks, key=lambda block: (block.meta.max_time, block.meta.min_time))
        )
        self.strangers = Strangers()

    def since(self, start: Timestamp) -> Sequence[Block]:
        """Return the blocks that may hold samples after `start`."""
        return [block for block in self.blocks if block.meta.max_time > start + 1]


class HeadIdentities:
    """The identities of the head's series, worked out once each. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = np.zeros(0, dtype=np.bool_)
        self._high = np.zeros(0, dtype=np.uint64)
        self._low = np.zeros(0, dtype=np.uint64)

    def of(self, refs: Refs, labels: LabelsOf) -> Identities:
        """Return the identities of series; `labels` gives the sets of those not known yet."""
        with self._lock:
            self._grow(int(refs.max(initial=-1)) + 1)
            missing = refs[~self._known[refs]]
            high, low, known = self._high, self._low, self._known
        if len(missing):
            fresh = Identities.of(labels(missing))
            with self._lock:
                # The columns may have grown meanwhile.
                high, low, known = self._high, self._low, self._known
                high[missing], low[missing] = fresh.high, fresh.low
                known[missing] = True
        return Identities(high[refs], low[refs])

    def _grow(self, size: int) -> None:
        if size > len(self._known):
            room = max(size, 2 * len(self._known), 1024)
            more = room - len(self._known)
            self._high = np.concatenate((self._high, np.zeros(more, dtype=np.uint64)))
            self._low = np.concatenate((self._low, np.zeros(more, dtype=np.uint64)))
            self._known = np.concatenate((self._known, np.zeros(more, dtype=np.bool_)))
