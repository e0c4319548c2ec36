"""Sets of series as values, and what is computed once for each of them.

A plan asks again and again for the same series. Whatever depends only on their
labels (groups, pairs, names dropped) is therefore computed once and kept for as
long as its input is *the very same* `SeriesSet` object: a selector hands out a
new one only when the store's set of matching series has changed.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, TypeVarTuple, cast, overload

import numpy as np

from controlplane.model.histogram import Histograms
from controlplane.model.labels import EMPTY, METRIC_NAME, Labels
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.errors import EvaluationError

METADATA_LABELS = (METRIC_NAME, "__type__", "__unit__")
SAME_LABELSET = "vector cannot contain metrics with the same labelset"

_METADATA = frozenset(METADATA_LABELS)
# Things computed of one set of series, the oldest going first.
_MOST_KEPT = 64

# Label names with values; a label that is not there may stand with an empty value.
Key = tuple[tuple[str, str], ...]

_T = TypeVar("_T")
_Inputs = TypeVarTuple("_Inputs")


class Memo(Generic[_T]):
    """The last thing computed, kept while its inputs are the same objects.

    Safe between threads: the kept pair is replaced as a whole, and computing
    twice gives the same.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], _T] | None = None

    def get(self, make: Callable[[*_Inputs], _T], *inputs: *_Inputs) -> _T:
        """Return `make(*inputs)`, or what it returned for these very inputs before."""
        kept, given = self._kept, cast("tuple[object, ...]", inputs)
        if kept is not None and all(a is b for a, b in zip(kept[0], given, strict=True)):
            return kept[1]
        made = make(*inputs)
        self._kept = (given, made)
        return made


class LazyLabels(Sequence[Labels]):
    """Label sets that are made when they are looked at: most never are."""

    __slots__ = ("_made", "_make")

    def __init__(self, size: int, make: Callable[[int], Labels]) -> None:
        self._made: list[Labels | None] = [None] * size
        self._make = make

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> Labels: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Labels]: ...

    def __getitem__(self, index: int | slice) -> Labels | Sequence[Labels]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self._made)))]
        made = self._made[index]
        if made is None:
            made = self._made[index] = self._make(index)
        return made


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSet:
    """Label sets in an order; `drops` marks those whose name goes at the very end.

    `drops` is None when none does (always, unless names are removed late).
    `base` are label sets that differ from `labels` in metadata labels only, at
    hand where `labels` would have to be made.
    """

    labels: Sequence[Labels]
    drops: Mask | None = None
    base: Sequence[Labels] | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def kept(self, key: Hashable, make: Callable[["SeriesSet"], _T]) -> _T:
        """Return `make(self)`, computed at the first asking for `key`."""
        found = self._kept.get(key)
        if found is None:
            found = make(self)
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(tuple(self._kept)), None), None)
            self._kept[key] = found
        result: _T = found
        return result

    def keys(self, names: Iterable[str], *, without: bool) -> Iterator[Key]:
        """Yield for each series what tells it apart by (or without) these labels.

        Equal keys mean equal label sets; `key_labels` makes the set of a key.
        Without labels means without the metric's name, too.
        """
        wanted = tuple(dict.fromkeys(names))
        rows = self.labels
        if self.base is not None and not _METADATA.intersection(wanted):
            rows = self.base
        if not without:
            return (tuple([(name, ls.value(name)) for name in wanted]) for ls in rows)
        dropped = {*wanted, *METADATA_LABELS} if rows is self.base else {*wanted, METRIC_NAME}
        return (tuple([pair for pair in ls.pairs if pair[0] not in dropped]) for ls in rows)

    def order(self) -> Refs:
        """Return the positions of the label sets in sorted order."""
        return self.kept("order", _order)

    def take(self, index: Refs) -> "SeriesSet":
        """Return the series at these positions."""
        labels = self.labels
        drops = None if self.drops is None else self.drops[index]
        return SeriesSet([labels[i] for i in index.tolist()], drops)


NO_SERIES = SeriesSet(())
ONE_UNLABELLED = SeriesSet((EMPTY,))


def _order(series: SeriesSet) -> Refs:
    labels = series.labels
    return np.array(sorted(range(len(labels)), key=lambda i: labels[i].pairs), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """Rows whose label sets became equal, and the row that each goes to.

    `layers` lists (source rows, target rows) such that no target occurs twice
    in one layer; `size` is the number of rows after merging.
    """

    layers: Sequence[tuple[Refs, Refs]]
    size: int

    def objects(self, histograms: Histograms, present: Mask) -> Histograms:
        """Return merged histograms (size, k) of rows that `apply` let pass."""
        merged = np.full((self.size, present.shape[1]), None, dtype=np.object_)
        for source, target in self.layers:
            merged[target] = np.where(present[source], histograms[source], merged[target])
        return merged

    def apply(
        self, values: Values, present: Mask, *, message: str = SAME_LABELSET, whole: bool = False
    ) -> tuple[Values, Mask]:
        """Return merged arrays (size, k).

        Two rows that are present at the same instant raise EvaluationError;
        with `whole`, two rows that are present at all do.
        """
        steps = present.shape[1]
        merged = np.zeros((self.size, steps))
        filled = np.zeros((self.size, steps), dtype=bool)
        for source, target in self.layers:
            here, before = present[source], filled[target]
            if whole:
                collides = np.any(np.any(here, axis=1) & np.any(before, axis=1))
            else:
                collides = np.any(here & before)
            if collides:
                raise EvaluationError(message)
            merged[target] = np.where(here, values[source], merged[target])
            filled[target] = here | before
        return merged, filled


@dataclass(frozen=True, slots=True, eq=False)
class Relabelled:
    """A series set after a change of labels; `merge` is None when no two became equal."""

    series: SeriesSet
    merge: Merge | None


def merge_equal(labels: Sequence[Labels], drops: Mask | None = None) -> Relabelled:
    """Return the distinct label sets in order of first appearance, and how rows go to them.

    With late name removal the mark is part of what tells two series apart.
    """
    marks = [False] * len(labels) if drops is None else drops.tolist()
    keys = list(zip(labels, marks, strict=True))
    first = dict.fromkeys(keys)
    if len(first) == len(keys):
        return Relabelled(SeriesSet(labels, drops), None)
    number = {key: index for index, key in enumerate(first)}
    series = SeriesSet(
        [key[0] for key in first],
        None if drops is None else np.array([key[1] for key in first], dtype=bool),
    )
    targets = np.array([number[key] for key in keys], dtype=np.int64)
    return Relabelled(series, Merge(layers(targets), len(first)))


def layers(targets: Refs) -> list[tuple[Refs, Refs]]:
    """Split rows by how many rows with the same target stand before them."""
    order = np.argsort(targets, kind="stable")
    rank = np.empty_like(targets)
    rank[order] = ranks(targets[order])
    return [
        (rows, targets[rows])
        for rows in (np.flatnonzero(rank == r) for r in range(int(rank.max(initial=-1)) + 1))
    ]


def ranks(sorted_groups: Refs) -> Refs:
    """Return the position of each entry within its run of equal numbers."""
    size = len(sorted_groups)
    if size == 0:
        return sorted_groups
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    lengths = np.diff(np.r_[starts, size])
    positions: Refs = np.arange(size) - np.repeat(starts, lengths)
    return positions


def nameless(series: SeriesSet) -> Relabelled:
    """Return the series without name, type and unit."""
    return series.kept("nameless", _drop_names)


def _drop_names(series: SeriesSet) -> Relabelled:
    labels = series.labels
    if series.base is not None:
        return Relabelled(series, None)
    if _differ_in_more_than_names(labels):
        bare = LazyLabels(len(labels), lambda row: labels[row].drop(*METADATA_LABELS))
        return Relabelled(SeriesSet(bare, base=labels), None)
    return merge_equal([labels.drop(*METADATA_LABELS) for labels in series.labels])


def _differ_in_more_than_names(labels: Sequence[Labels]) -> bool:
    """Tell whether all have one name and no other metadata, so that none becomes equal."""
    name = labels[0].name if labels else ""
    return all(ls.name == name and "__type__" not in ls and "__unit__" not in ls for ls in labels)


def marked(series: SeriesSet) -> SeriesSet:
    """Return the series, all marked to lose their names at the end."""
    return series.kept("marked", lambda s: SeriesSet(s.labels, np.ones(len(s.labels), dtype=bool)))
