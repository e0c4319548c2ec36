"""Silences in memory, found by the labels of an alert without trying each."""

from collections.abc import Iterable, Iterator

from controlplane.model.labels import Labels
from controlplane.model.matchers import MatchOp
from controlplane.mute.silence import Silence

Pair = tuple[str, str]


class Book:
    """Silences by id, filed under one label that they demand.

    A silence with an equality lies under that name and value, in the shortest
    list that there is; only those without one are tried for every alert.
    """

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}
        self._filed: dict[Pair | None, dict[str, Silence]] = {}
        self._place: dict[str, Pair | None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Silence]:
        return iter(tuple(self._all.values()))

    def get(self, silence_id: str) -> Silence | None:
        return self._all.get(silence_id)

    def put(self, silence: Silence) -> None:
        """File a silence, instead of the one with its id."""
        self.remove(silence.id)
        pairs: Iterable[Pair] = (
            (matcher.name, matcher.value)
            for matcher in silence.matchers
            if matcher.op is MatchOp.EQUAL and matcher.value
        )
        place = min(pairs, key=lambda pair: len(self._filed.get(pair, ())), default=None)
        self._all[silence.id] = silence
        self._filed.setdefault(place, {})[silence.id] = silence
        self._place[silence.id] = place

    def remove(self, silence_id: str) -> None:
        if self._all.pop(silence_id, None) is None:
            return
        place = self._place.pop(silence_id)
        del self._filed[place][silence_id]
        if not self._filed[place]:
            del self._filed[place]

    def matching(self, labels: Labels) -> Iterator[Silence]:
        """Yield the silences whose matchers an alert fulfils, whatever their state."""
        places: tuple[Pair | None, ...] = (*labels.pairs, None)
        for place in places:
            for silence in self._filed.get(place, {}).values():
                if silence.matches(labels):
                    yield silence
