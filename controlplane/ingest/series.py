"""Which series of the store a sender's label sets are, remembered by their encoding."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from controlplane.errors import InvalidInput
from controlplane.ingest.incoming import Incoming
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs
from controlplane.tsdb.ports import Appender

# In place of a series number: the label set is refused. (-1 is the store's: over its limit.)
REFUSED: Final = -2
# Its sender has begun as many series as it may.
OVER_SENDER: Final = -3

# Senders beyond are counted anew, all of them: their names must not fill the memory.
_MOST_SENDERS: Final = 10_000


class SeriesBook:
    """Keys of requests to series numbers. Not safe for threads: its owner holds a lock."""

    def __init__(self, appender: Appender, most: int, most_per_sender: int = 0) -> None:
        self._appender = appender
        self._most = most
        self._most_per_sender = most_per_sender
        self._begun: Counter[str] = Counter()
        self._refs: dict[Hashable, int] = {}
        self._epoch = appender.epoch

    def __len__(self) -> int:
        return len(self._refs)

    @property
    def epoch(self) -> int:
        """The store's epoch of which the numbers are."""
        return self._epoch

    def __contains__(self, key: object) -> bool:
        """Tell whether a key is known; may be asked without the lock, and be outdated then."""
        return key in self._refs

    def refs(self, incoming: Incoming) -> Refs:
        """Return the number of each key's series, (m,); REFUSED, OVER_SENDER or -1 for none.

        A series counts for the sender who brought it first.
        """
        if self._epoch != self._appender.epoch or len(self._refs) > self._most:
            self._epoch = self._appender.epoch
            self._refs.clear()
            self._begun.clear()
        known = self._refs
        found = [known.get(key, REFUSED) for key in incoming.keys]
        if REFUSED in found:
            self._resolve(incoming, found)
        return np.array(found, dtype=np.int64)

    def _resolve(self, incoming: Incoming, found: list[int]) -> None:
        """Ask the store for what is not known; refused and limited keys are not kept."""
        places, series = self._decoded(incoming, found)
        room = self._room(incoming.sender, len(series))
        for place in places[room:]:
            found[place] = OVER_SENDER
        places, series = places[:room], series[:room]
        for place, ref in zip(places, self._appender.refs(series).tolist(), strict=True):
            found[place] = ref
            if ref >= 0:
                self._begun[incoming.sender] += incoming.keys[place] not in self._refs
                self._refs[incoming.keys[place]] = ref

    def _room(self, sender: str, wanted: int) -> int:
        """Return how many of the wanted series a sender may begin."""
        if not self._most_per_sender:
            return wanted
        if len(self._begun) > _MOST_SENDERS:
            self._begun.clear()
        return max(0, self._most_per_sender - self._begun[sender])

    def _decoded(self, incoming: Incoming, found: Sequence[int]) -> tuple[list[int], list[Labels]]:
        places, series = [], []
        numbers = np.bincount(incoming.owners, minlength=len(found))
        for place, ref in enumerate(found):
            if ref != REFUSED:
                continue
            try:
                labels = incoming.labels_of(incoming.keys[place])
            except InvalidInput as error:
                incoming.rejections.add("invalid_labels", int(numbers[place]), error.reason)
                continue
            places.append(place)
            series.append(labels)
        return places, series
