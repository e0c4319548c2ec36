"""Which series of the store a sender's label sets are, remembered by their encoding."""

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


class SeriesBook:
    """Keys of requests to series numbers. Not safe for threads: its owner holds a lock."""

    def __init__(self, appender: Appender, most: int) -> None:
        self._appender = appender
        self._most = most
        self._refs: dict[Hashable, int] = {}
        self._epoch = appender.epoch

    def __len__(self) -> int:
        return len(self._refs)

    @property
    def epoch(self) -> int:
        """The store's epoch of which the numbers are."""
        return self._epoch

    def refs(self, incoming: Incoming) -> Refs:
        """Return the number of each key's series, REFUSED or -1 where there is none, (m,)."""
        if self._epoch != self._appender.epoch or len(self._refs) > self._most:
            self._epoch = self._appender.epoch
            self._refs.clear()
        known = self._refs
        found = [known.get(key, REFUSED) for key in incoming.keys]
        if REFUSED in found:
            self._resolve(incoming, found)
        return np.array(found, dtype=np.int64)

    def _resolve(self, incoming: Incoming, found: list[int]) -> None:
        """Ask the store for what is not known; refused and limited keys are not kept."""
        places, series = self._decoded(incoming, found)
        for place, ref in zip(places, self._appender.refs(series).tolist(), strict=True):
            found[place] = ref
            if ref >= 0:
                self._refs[incoming.keys[place]] = ref

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
