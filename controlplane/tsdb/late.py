"""Samples older than the head's floor: kept apart until they are in a block.

They are few (what a sender had held back) or many (somebody backfills); either
way they are never in the way of those who read recent samples.
"""

from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Mask, Refs
from controlplane.tsdb.ragged import Ragged, RaggedView
from controlplane.tsdb.sift import Batch

_NONE: Final[Mask] = np.zeros(0, dtype=np.bool_)


class Late:
    """The writing side; belongs to the head, which holds its lock."""

    def __init__(self) -> None:
        self._current = Ragged()
        self._owners: Mask = _NONE
        self._sealed: tuple[Ragged, ...] = ()
        self._sealed_owners: Mask = _NONE
        self.samples = 0

    def append(self, batch: Batch) -> None:
        """Keep samples sorted by series and time, each newer than what its series has."""
        self._current.append(batch.refs, batch.times, batch.values)
        self._owners = _marked(self._owners, batch.refs)
        self.samples += len(batch)

    def view(self) -> tuple[RaggedView, ...]:
        """Return what there is, older samples of a series first."""
        if not self.samples and not self._sealed:
            return ()
        return tuple(part.view() for part in (*self._sealed, self._current))

    def seal(self) -> None:
        """Begin anew; what there is by now is going to be in a block."""
        if self.samples:
            self._sealed = (*self._sealed, self._current)
            self._sealed_owners = _joined(self._sealed_owners, self._owners)
            self._current, self._owners, self.samples = Ragged(), _NONE, 0

    def settle(self) -> None:
        """Forget what was sealed: it is in a block."""
        self._sealed, self._sealed_owners = (), _NONE

    def drop_before(self, cutoff: Timestamp) -> None:
        """Forget what holds nothing at or after `cutoff`."""
        for part in (*self._sealed, self._current):
            part.drop_before(cutoff)

    def delete(self, refs: Refs, start: Timestamp, end: Timestamp) -> None:
        """Forget the samples of `refs` within [start, end]."""
        self._sealed = tuple(part.without(refs, start, end) for part in self._sealed)
        self._current = self._current.without(refs, start, end)

    def owners(self, bound: int) -> Mask:
        """Tell which series under `bound` have samples here."""
        return _joined(_joined(self._owners, self._sealed_owners), np.zeros(bound, np.bool_))[
            :bound
        ]


def _marked(owners: Mask, refs: Refs) -> Mask:
    highest = int(refs.max())
    if highest >= len(owners):
        grown = np.zeros(max(highest + 1, 2 * len(owners)), dtype=np.bool_)
        grown[: len(owners)] = owners
        owners = grown
    owners[refs] = True
    return owners


def _joined(left: Mask, right: Mask) -> Mask:
    joined = np.zeros(max(len(left), len(right)), dtype=np.bool_)
    joined[: len(left)] |= left
    joined[: len(right)] |= right
    return joined
