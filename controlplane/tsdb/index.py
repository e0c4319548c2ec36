"""Label sets to series numbers, and matchers to sorted numbers.

An inverted index: for each label and value the rising numbers of the series
that have it. Numbers grow and are never given to another series while the
process lives, so what holds a stale number is refused instead of writing into
somebody else's series; a restart packs them anew.

Series are only ever added to an `IndexState`; removal builds a new one. A
reader therefore stays consistent with a state and a count of series.
"""

import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Mask, Refs
from controlplane.tsdb.pairs import pair_table

NO_SERIES: Final = -1
_NONE: Final[Refs] = np.empty(0, dtype=np.int64)


class Posting:
    """Rising series numbers that readers see through while they grow."""

    __slots__ = ("_numbers", "_size", "pair")

    def __init__(self, numbers: Refs | None = None, pair: tuple[str, str] = ("", "")) -> None:
        self.pair = pair
        self._numbers = _NONE if numbers is None else numbers
        self._size = 0 if numbers is None else len(numbers)

    def extend(self, refs: Sequence[int] | Refs) -> None:
        """Add rising numbers, all above those that are in."""
        size = self._size + len(refs)
        if size > len(self._numbers):
            grown = np.empty(max(size, 2 * self._size), dtype=np.int64)
            grown[: self._size] = self._numbers[: self._size]
            self._numbers = grown
        self._numbers[self._size : size] = refs
        self._size = size

    def __len__(self) -> int:
        return self._size

    def below(self, bound: int) -> Refs:
        """Return the numbers under `bound`; the array is shared and must not be written."""
        numbers = self._numbers[: self._size]
        if len(numbers) and numbers[-1] >= bound:
            return numbers[: np.searchsorted(numbers, bound)]
        return numbers


class IndexState:
    """Postings and label sets; grows, never shrinks. Its lock is held by its owner's calls."""

    __slots__ = ("_labels", "_lock", "_names", "everything")

    def __init__(self, labels: list[Labels], lock: threading.Lock) -> None:
        self._labels = labels
        self._lock = lock
        self._names: dict[str, dict[str, Posting]] = {}
        self.everything = Posting()

    def extend(self, first: int, series: Sequence[Labels]) -> None:
        """Enter series numbered from `first` on, above all others; the lock must be held."""
        self.everything.extend(np.arange(first, first + len(series)))
        table = pair_table(series)
        owners = np.repeat(np.arange(first, first + len(series)), table.counts)
        owners = owners[np.argsort(table.numbers, kind="stable")]
        ends = np.cumsum(np.bincount(table.numbers, minlength=len(table.pairs))).tolist()
        shared, begin = [], 0
        for pair, end in zip(table.pairs, ends, strict=True):
            values = self._names.setdefault(pair[0], {})
            posting = values.get(pair[1])
            if posting is None:
                posting = values[pair[1]] = Posting(pair=pair)
            posting.extend(owners[begin:end])
            shared.append(posting.pair)
            begin = end
        # Equal pairs of many series become one: mostly they are of few values.
        each = map(shared.__getitem__, table.numbers.tolist())
        for labels, count in zip(series, table.counts.tolist(), strict=True):
            labels.share(islice(each, count))

    def without(self, gone: Mask, labels: list[Labels], bound: int) -> "IndexState":
        """Return a state of the series under `bound` that are not `gone`, (bound,).

        Postings are filtered whole, and no lock is held while that goes on.
        """
        state = IndexState(labels, self._lock)
        state.everything = _left(self.everything, gone, bound)
        for name, values in self._copy_names():
            left = {value: _left(posting, gone, bound) for value, posting in values.items()}
            state._names[name] = {value: each for value, each in left.items() if each}
        return state

    def select(self, matchers: Sequence[Matcher], bound: int) -> Refs:
        """Return the series under `bound` that match all, rising.

        A matcher that the empty value fulfils also takes series without the
        label, so it subtracts the values that it refuses; any other one
        intersects with the values that it takes. Each matcher looks once at
        each value of its label, not at each series.
        """
        with self._lock:
            chosen: Refs | None = None
            refused: list[Refs] = []
            for matcher in matchers:
                if matcher.matches(""):
                    refused.append(self._union(matcher, bound, wanted=False))
                    continue
                taken = self._union(matcher, bound, wanted=True)
                chosen = taken if chosen is None else _intersect(chosen, taken)
            if chosen is None:
                chosen = self.everything.below(bound)
            for part in refused:
                chosen = _subtract(chosen, part)
            return chosen.copy()

    def labels(self, refs: Iterable[int]) -> list[Labels]:
        return [self._labels[ref] for ref in refs]

    def names(self, bound: int) -> list[str]:
        return [name for name, values in self._copy_names() if _any_below(values.values(), bound)]

    def values(self, name: str, bound: int) -> list[str]:
        with self._lock:
            values = list(self._names.get(name, {}).items())
        return sorted(value for value, posting in values if len(posting.below(bound)))

    def _copy_names(self) -> list[tuple[str, dict[str, Posting]]]:
        with self._lock:
            return sorted((name, dict(values)) for name, values in self._names.items())

    def _union(self, matcher: Matcher, bound: int, *, wanted: bool) -> Refs:
        values = self._names.get(matcher.name, {})
        if matcher.op is MatchOp.EQUAL and wanted:
            exact = values.get(matcher.value)
            return _NONE if exact is None else exact.below(bound)
        parts = [
            posting.below(bound)
            for value, posting in values.items()
            if matcher.matches(value) == wanted
        ]
        return _join(parts)


class Index:
    """The writing side: gives numbers out and takes them back. Safe from any thread."""

    def __init__(self, *, max_series: int = 0) -> None:
        self._max_series = max_series
        self._lock = threading.Lock()
        self._refs: dict[Labels, int] = {}
        self._labels: list[Labels] = []
        self._touched: list[Timestamp] = []
        self._generation = 0
        self._state = IndexState(self._labels, self._lock)

    def __len__(self) -> int:
        """Return how many series are alive."""
        return len(self._refs)

    @property
    def bound(self) -> int:
        """One above the highest number given out."""
        return len(self._labels)

    def refs(self, series: Sequence[Labels], now: Timestamp) -> tuple[Refs, int]:
        """Return the number of each series, -1 over the limit, and how many are new."""
        with self._lock:
            first = len(self._labels)
            room = self._max_series - len(self._refs) if self._max_series else len(series)
            numbers, created = self._numbers(series, first, first + max(room, 0))
            found = np.array(numbers, dtype=np.int64)
            if created:
                self._labels.extend(created)
                self._touched.extend([now] * len(created))
                self._state.extend(first, created)
                self._generation += 1
            self._touch(found[(found >= 0) & (found < first)], now)
        return found, len(created)

    def view(self) -> tuple[IndexState, int, int]:
        """Return what a snapshot keeps: the state, the bound and the generation."""
        with self._lock:
            return self._state, len(self._labels), self._generation

    def invalidate(self) -> None:
        """Have all that was computed from series and their samples be computed anew."""
        with self._lock:
            self._generation += 1

    def untouched_since(self, refs: Refs, cutoff: Timestamp) -> Refs:
        """Return those of `refs` that nobody has asked for since `cutoff`."""
        with self._lock:
            return np.array(
                [ref for ref in refs.tolist() if self._touched[ref] < cutoff], dtype=np.int64
            )

    def remove(self, refs: Refs) -> None:
        """Forget series. Readers of the state before keep seeing them."""
        with self._lock:
            bound, labels = len(self._labels), list(self._labels)
        gone = np.zeros(bound, dtype=np.bool_)
        gone[refs] = True
        for ref in refs.tolist():
            labels[ref] = EMPTY
        state = self._state.without(gone, labels, bound)
        with self._lock:
            for ref in refs.tolist():
                del self._refs[self._labels[ref]]
            meanwhile = self._labels[bound:]
            labels += meanwhile
            state.extend(bound, meanwhile)
            self._labels, self._state = labels, state
            self._generation += 1

    def since(self, start: int) -> tuple[int, list[tuple[int, Labels]]]:
        """Return the bound, and number and labels of what lives at `start` or above."""
        with self._lock:
            fresh = enumerate(self._labels[start:], start)
            # What was removed has left the empty set behind, which may be a series itself.
            empty = self._refs.get(EMPTY)
            alive = [(ref, labels) for ref, labels in fresh if labels.pairs or ref == empty]
            return len(self._labels), alive

    def _numbers(
        self, series: Sequence[Labels], free: int, limit: int
    ) -> tuple[list[int], list[Labels]]:
        """Give each new series the next number from `free` on, below `limit`."""
        refs = self._refs
        found: list[int] = []
        created: list[Labels] = []
        for labels in series:
            ref = refs.setdefault(labels, free) if free < limit else refs.get(labels, NO_SERIES)
            if ref == free:
                created.append(labels)
                free += 1
            found.append(ref)
        return found, created

    def _touch(self, refs: Refs, now: Timestamp) -> None:
        touched = self._touched
        for ref in refs.tolist():
            touched[ref] = now


def _left(posting: Posting, gone: Mask, bound: int) -> Posting:
    numbers = posting.below(bound)
    return Posting(numbers[~gone[numbers]], posting.pair)


def _any_below(postings: Iterable[Posting], bound: int) -> bool:
    return any(len(posting.below(bound)) for posting in postings)


def _join(parts: list[Refs]) -> Refs:
    """Unite disjoint rising arrays."""
    if not parts:
        return _NONE
    return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts), kind="stable")


def _contains(haystack: Refs, needles: Refs) -> Mask:
    if not len(haystack):
        return np.zeros(len(needles), dtype=np.bool_)
    places = np.searchsorted(haystack, needles)
    found: Mask = haystack[np.minimum(places, len(haystack) - 1)] == needles
    return found


def _intersect(left: Refs, right: Refs) -> Refs:
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    return small[_contains(large, small)]


def _subtract(left: Refs, right: Refs) -> Refs:
    return left[~_contains(right, left)] if len(right) else left
