"""What blocks are written from: the head at one moment, or other blocks."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import Refs
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.identity import Directory, Identities
from controlplane.tsdb.blocks.joining import joined
from controlplane.tsdb.histograms import is_marker, markers, numbers
from controlplane.tsdb.ragged import RaggedView
from controlplane.tsdb.runs import Samples
from controlplane.tsdb.snapshot import Snapshot

# Where the numbers of histograms of several blocks are told apart.
_OWN_BITS: Final = 40


class HeadSource:
    """The head's samples within [start, end): series of one name side by side, as they came."""

    def __init__(
        self,
        snapshot: Snapshot,
        refs: Refs,
        late: Sequence[RaggedView],
        span: tuple[Timestamp, Timestamp],
        served: Timestamp,
    ) -> None:
        """Take the samples of `refs` (see `ordered`) but for what is before `served`; all of
        the late ones.
        """
        self._snapshot = snapshot
        self._refs = refs
        self._late = late
        self._start, self._end = span
        self._served = served

    def __len__(self) -> int:
        return len(self._refs)

    def labels(self, begin: int, end: int) -> Sequence[Labels]:
        return self._snapshot.labels(self._refs[begin:end])

    def read(self, begin: int, end: int) -> Samples:
        refs = self._refs[begin:end]
        order = np.argsort(refs)
        rising = refs[order]
        parts = [part.read(rising, self._start - 1, self._end - 1) for part in self._late]
        start = max(self._start, self._served)
        if start < self._end:
            parts.append(self._snapshot.history(rising, start - 1, self._end - 1))
        return _ordered(joined(len(rising), parts), order)

    def histograms(self, numbers: Sequence[int]) -> Sequence[bytes]:
        pool = self._snapshot.pool
        return [(pool and pool.encoded(number)) or b"" for number in numbers]


def ordered(snapshot: Snapshot) -> Refs:
    """Return all series of a snapshot in the order in which blocks have them."""
    refs = snapshot.select(())
    known: dict[str, int] = {}
    names = [known.setdefault(labels.name, len(known)) for labels in snapshot.labels(refs)]
    placed: Refs = refs[np.argsort(np.array(names, dtype=np.int64), kind="stable")]
    return placed


class BlocksSource:
    """The samples of several blocks, without what was deleted; the later block's count."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = sorted(blocks, key=lambda block: (block.meta.min_time, block.meta.max_time))
        holders, rows, names = _distinct(self._blocks)
        order = np.lexsort((rows, holders, names))
        self._holders, self._rows = holders[order], rows[order]
        identities = _gathered(self._blocks, self._holders, self._rows)
        self._found = [block.find(identities) for block in self._blocks]

    def __len__(self) -> int:
        return len(self._rows)

    def labels(self, begin: int, end: int) -> Sequence[Labels]:
        holders, rows = self._holders[begin:end].tolist(), self._rows[begin:end]
        return [
            self._blocks[holder].index.labels(rows[place : place + 1])[0]
            for place, holder in enumerate(holders)
        ]

    def read(self, begin: int, end: int) -> Samples:
        parts = []
        for number, (block, rows) in enumerate(zip(self._blocks, self._found, strict=True)):
            here = rows[begin:end] >= 0
            asked = rows[begin:end][here]
            order = np.argsort(asked)
            found = block.read(asked[order], block.meta.min_time - 1, block.meta.max_time)
            found = _numbered(number, _ordered(found, order))
            parts.append(runs.spread(found, here))
        return joined(end - begin, parts)

    def histograms(self, numbers: Sequence[int]) -> Sequence[bytes]:
        own = (1 << _OWN_BITS) - 1
        return [self._blocks[n >> _OWN_BITS].histograms([n & own])[0] for n in numbers]


def _distinct(blocks: Sequence[Block]) -> tuple[Refs, Refs, Refs]:
    """Return each series of some blocks once: the first block that has it, its row there, and
    the number of its name.
    """
    known: dict[str, int] = {}
    holders, rows, names = [], [], []
    seen: Directory | None = None
    gathered: list[Identities] = []
    for number, block in enumerate(blocks):
        fresh = np.arange(len(block.index), dtype=np.int64)
        if seen is not None:
            fresh = np.flatnonzero(seen.find(block.identities) < 0).astype(np.int64)
        texts, of_row = block.index.by_value(METRIC_NAME)
        numbers = np.array([known.setdefault(text, len(known)) for text in (*texts, "")])
        holders.append(np.full(len(fresh), number, dtype=np.int64))
        rows.append(fresh)
        names.append(numbers[of_row[fresh]])
        gathered.append(block.identities.take(fresh))
        seen = Directory(
            Identities(
                np.concatenate([part.high for part in gathered]),
                np.concatenate([part.low for part in gathered]),
            )
        )
    return np.concatenate(holders), np.concatenate(rows), np.concatenate(names)


def _gathered(blocks: Sequence[Block], holders: Refs, rows: Refs) -> Identities:
    high, low = np.zeros(len(rows), dtype=np.uint64), np.zeros(len(rows), dtype=np.uint64)
    for number, block in enumerate(blocks):
        here = holders == number
        high[here] = block.identities.high[rows[here]]
        low[here] = block.identities.low[rows[here]]
    return Identities(high, low)


def _numbered(block: int, samples: Samples) -> Samples:
    """Say in the markers of histograms which block they are from."""
    marked = is_marker(samples.values)
    if not marked.any():
        return samples
    values = samples.values.copy()
    values[marked] = markers(numbers(values[marked]) | block << _OWN_BITS)
    return Samples(values, samples.times, samples.offsets)


def _ordered(samples: Samples, order: Refs) -> Samples:
    """Return the samples of sorted series in the order that was sorted by `order`."""
    if (order[1:] > order[:-1]).all():
        return samples
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return runs.cut(samples, places, np.ones(len(places), dtype=np.bool_))
