"""Label pairs of many series, numbered: what is done for each pair is done once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from controlplane.model.labels import Labels
from controlplane.model.samples import Refs

Pair = tuple[str, str]


class _Numbers(dict[Pair, int]):
    """The number of each pair, in the order in which they come."""

    def __missing__(self, pair: Pair) -> int:
        number = self[pair] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class PairTable:
    """`pairs` are all different; series i has `counts[i]` of the `numbers`, one after the other."""

    pairs: Sequence[Pair]
    numbers: Refs
    counts: Refs


def pair_table(series: Sequence[Labels]) -> PairTable:
    """Return the pairs of label sets."""
    found, sets = _Numbers(), [labels.pairs for labels in series]
    counts = np.fromiter(map(len, sets), dtype=np.int64, count=len(sets))
    each = map(found.__getitem__, chain.from_iterable(sets))
    numbers = np.fromiter(each, dtype=np.int64, count=int(counts.sum()))
    return PairTable(list(found), numbers, counts)
