"""What a label set is called in every block and in memory: 128 bits of its BLAKE2b.

Numbers of series mean nothing beyond the head or the block that gave them;
this does, and it compares in whole columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Refs

Halves = npt.NDArray[np.uint64]

_SIZE = 16


@dataclass(frozen=True, slots=True)
class Identities:
    """The identities of n label sets, in two halves, (n,) each."""

    high: Halves
    low: Halves

    def __len__(self) -> int:
        return len(self.high)

    @classmethod
    def of(cls, series: Iterable[Labels]) -> "Identities":
        digests = np.frombuffer(b"".join(map(_digest, series)), dtype="<u8").reshape(-1, 2)
        return cls(digests[:, 0].copy(), digests[:, 1].copy())

    def take(self, places: Refs | Mask) -> "Identities":
        return Identities(self.high[places], self.low[places])

    def order(self) -> Refs:
        """Return the places in sorted order."""
        return np.lexsort((self.low, self.high)).astype(np.int64)

    def same(self, other: "Identities") -> bool:
        """Tell whether both are the same sets in the same order."""
        return np.array_equal(self.high, other.high) and np.array_equal(self.low, other.low)


class Directory:
    """Finds the places of label sets by identity."""

    def __init__(self, identities: Identities, order: Refs | None = None) -> None:
        self.order = identities.order() if order is None else order
        self._sorted = identities.take(self.order)

    def find(self, wanted: Identities) -> Refs:
        """Return the place of each wanted one, -1 where it is not there."""
        high, low = self._sorted.high, self._sorted.low
        found = np.full(len(wanted), -1, dtype=np.int64)
        places = np.searchsorted(high, wanted.high)
        todo = np.arange(len(wanted))
        while True:
            # Equal first halves stand side by side; there is hardly ever more than one.
            inside = places < len(high)
            todo, places = todo[inside], places[inside]
            alike = high[places] == wanted.high[todo]
            todo, places = todo[alike], places[alike]
            if not len(todo):
                return found
            hit = low[places] == wanted.low[todo]
            found[todo[hit]] = self.order[places[hit]]
            todo, places = todo[~hit], places[~hit] + 1


def _digest(labels: Labels) -> bytes:
    # 0xff stands in no UTF-8 text, so no two label sets are written alike.
    parts = [text.encode(errors="surrogatepass") for pair in labels.pairs for text in pair]
    return blake2b(b"\xff".join(parts), digest_size=_SIZE).digest()
