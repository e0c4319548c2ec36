"""Many heads to stored labels at once: heads that are built alike are looked at once.

Between its quotes a head holds values, outside of them names. Heads of the same
names, in the same order, become labels by the same *recipe*: which value goes
where, among which constants. A recipe is found out by sending a head with marks
in place of its values the long way, through grammar and labels of the target;
whatever is not that plain goes the long way each time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Final

from controlplane.errors import ControlPlaneError
from controlplane.model.labels import Labels
from controlplane.scrape.exposition.grammar import (
    NUMERIC_LABEL,
    Malformed,
    normalised_number,
    parse_labels,
)
from controlplane.scrape.exposition.page import Shape
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.sample_labels import is_unlimited, stored_labels

_Pair = tuple[str, str]
# The kind of a metric, and what stands outside of the quotes of a head.
_Key = tuple[str, ...]

# In place of a head that has no recipe: no name begins so.
_MARK: Final = "\x00"

# Targets that invent label names must not fill the memory.
_MOST_RECIPES: Final = 10_000


class _Named(dict[str, _Pair]):
    """The pairs of one name by value, made when they are first asked for."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, value: str) -> _Pair:
        pair = self[value] = (self.name, value)
        return pair


@dataclass(frozen=True, slots=True)
class _Recipe:
    """`pairs` is what is stored, in its order, with marks in place of values.

    `places` has, for each value of a head, where it goes, `named` the pairs of
    its name: those of many series are one object. `number` is the value that is
    written one way (a bucket's bound), or -1.
    """

    pairs: Sequence[_Pair]
    places: Sequence[int]
    named: Sequence[_Named]
    number: int

    def follow(self, heads: Sequence[Sequence[str]]) -> list[Labels]:
        """Return the labels of heads with these values, none of them empty.

        All heads go one step together: nothing but C code looks at a single one.
        """
        columns: list[Iterable[str]] = list(zip(*heads, strict=True))
        if self.number >= 0:
            column = columns[self.number]
            written = {text: normalised_number(text) for text in set(column)}
            columns[self.number] = map(written.__getitem__, column)
        pairs: list[Iterable[_Pair]] = [repeat(pair, len(heads)) for pair in self.pairs]
        for place, named, column in zip(self.places, self.named, columns, strict=True):
            pairs[place] = map(named.__getitem__, column)
        return list(map(Labels.of_sorted, zip(*pairs, strict=True)))


class Naming:
    """What the series of one target are called in the store."""

    def __init__(self, target: Labels, config: ScrapeConfig) -> None:
        self._target = target
        self._config = config
        self._plain = not config.metric_relabel_configs and is_unlimited(config)
        self._recipes: dict[_Key, _Recipe | None] = {}

    def labels(self, shape: Shape, slots: Sequence[int]) -> list[Labels | None]:
        """Return the stored label sets of slots, None for what relabelling drops.

        Raises ScrapeFailed, ExpositionError.
        """
        if not self._plain or not slots:
            return [self._slowly(shape, slot) for slot in slots]
        lines = shape.lines[slots].tolist()
        parts = _split([shape.heads[line] for line in lines])
        keys = [(shape.kinds[slot], *each[::2]) for slot, each in zip(slots, parts, strict=True)]
        found: list[Labels | None] = [None] * len(slots)
        begin = 0
        for key, alike in groupby(keys):
            end = begin + len(list(alike))
            recipe = self._recipes[key] if key in self._recipes else self._learn(key)
            if recipe is not None:
                found[begin:end] = recipe.follow([each[1::2] for each in parts[begin:end]])
            else:
                found[begin:end] = [self._slowly(shape, slot) for slot in slots[begin:end]]
            begin = end
        self._forget_values()
        return found

    def _slowly(self, shape: Shape, slot: int) -> Labels | None:
        return stored_labels(shape.labels(slot), self._target, self._config)

    def _forget_values(self) -> None:
        # Whatever is alive is held by the series that have it.
        for recipe in self._recipes.values():
            for named in () if recipe is None else recipe.named:
                named.clear()

    def _learn(self, key: _Key) -> _Recipe | None:
        if len(self._recipes) >= _MOST_RECIPES:
            self._recipes.clear()
        recipe = self._recipes[key] = self._recipe(*key)
        return recipe

    def _recipe(self, kind: str, *outside: str) -> _Recipe | None:
        """Return the recipe for heads of which `outside` stands around their values."""
        if outside == (_MARK,):
            return None
        if not all(part.rstrip(" \t").endswith("=") for part in outside[:-1]):
            return None  # quotes around a name
        marks = [f"\x00{place}" for place in range(len(outside) - 1)]
        quoted = [f'{part}"{mark}"' for part, mark in zip(outside, marks, strict=False)]
        try:
            served = parse_labels("".join((*quoted, outside[-1])).encode(), kind)
            stored = stored_labels(served, self._target, self._config)
        except (Malformed, ControlPlaneError):
            return None  # each such head is refused in its own words
        if stored is None:
            return None
        found = {value: (place, _Named(name)) for place, (name, value) in enumerate(stored.pairs)}
        number = served.get(NUMERIC_LABEL.get(kind, ""), "")
        return _Recipe(
            stored.pairs,
            [found[mark][0] for mark in marks],
            [found[mark][1] for mark in marks],
            marks.index(number) if number in marks else -1,
        )


def _split(heads: Sequence[bytes]) -> list[list[str]]:
    """Return what stands outside and inside of the quotes of each head in turn.

    Of a head that is not plain nothing is returned but a mark: where there are
    escapes a quote is not always the end, and an empty value is no label, on
    which the places of others depend.
    """
    whole = b"\n".join(heads)
    if b"\\" in whole or b'""' in whole:
        return [[_MARK] if b"\\" in head or b'""' in head else _decoded(head) for head in heads]
    try:
        return [head.split('"') for head in whole.decode().split("\n")]
    except UnicodeDecodeError:
        return [_decoded(head) for head in heads]


def _decoded(head: bytes) -> list[str]:
    try:
        return head.decode().split('"')
    except UnicodeDecodeError:
        return [_MARK]
