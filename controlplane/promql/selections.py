"""Which series some matchers choose, found once for all plans that ask for them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import numpy as np

from controlplane.model.matchers import Matcher
from controlplane.model.samples import Refs
from controlplane.promql.series import NO_SERIES, SeriesSet
from controlplane.tsdb.ports import Querier

# A query that reaches back to the disk numbers series in its own way: both are kept.
_KEPT: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The series that matchers choose, valid for one generation of the store."""

    generation: int
    refs: Refs
    series: SeriesSet


class Choice:
    """Matchers that remember their series between evaluations."""

    __slots__ = ("__weakref__", "_kept", "matchers")

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        self.matchers = tuple(matchers)
        self._kept: tuple[Selection, ...] = ()

    def select(self, querier: Querier) -> Selection:
        """Return the series that match, asking the store only when its series changed."""
        generation = querier.generation
        kept = self._kept
        for selection in kept:
            if selection.generation == generation:
                return selection
        refs = querier.select(self.matchers)
        labels = querier.labels(refs)
        made = Selection(generation, refs, SeriesSet(labels) if len(refs) else NO_SERIES)
        for known in kept:
            # The same series as before keep the set they had: all that was
            # computed from their labels stays valid.
            if np.array_equal(known.refs, refs) and known.series.labels == labels:
                made = Selection(generation, known.refs, known.series)
                kept = tuple(other for other in kept if other is not known)
                break
        self._kept = (made, *kept)[:_KEPT]
        return made

    @property
    def rows(self) -> int:
        """How many series are remembered."""
        return sum(len(selection.refs) for selection in self._kept)


class Choices:
    """One choice for equal matchers, for as long as any plan holds it. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakValueDictionary[tuple[Matcher, ...], Choice] = WeakValueDictionary()

    def of(self, matchers: Sequence[Matcher]) -> Choice:
        """Return the choice that these matchers make."""
        key = tuple(matchers)
        with self._lock:
            choice = self._known.get(key)
            if choice is None:
                choice = self._known[key] = Choice(key)
            return choice
