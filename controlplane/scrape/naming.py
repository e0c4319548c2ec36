"""Many heads to stored labels at once: heads that are built alike are looked at once.

Between its quotes a head holds values, outside of them names. Heads of the same
names, in the same order, become labels by the same *recipe*: which value goes
where, among which constants. A recipe is found out by sending a head with marks
in place of its values the long way, through grammar and labels of the target;
whatever is not that plain goes the long way each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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

    def follow(self, values: list[str]) -> Labels:
        """Return the labels of a head with these values, none of them empty."""
        if self.number >= 0:
            values[self.number] = normalised_number(values[self.number])
        pairs = list(self.pairs)
        for place, named, value in zip(self.places, self.named, values, strict=True):
            pairs[place] = named[value]
        return Labels.of_sorted(tuple(pairs))


class Naming:
    """What the series of one target are called in the store."""

    def __init__(self, target: Labels, config: ScrapeConfig) -> None:
        self._target = target
        self._config = config
        self._plain = not config.metric_relabel_configs and is_unlimited(config)
        self._recipes: dict[tuple[str, ...], _Recipe | None] = {}

    def labels(self, shape: Shape, slots: Sequence[int]) -> list[Labels | None]:
        """Return the stored label sets of slots, None for what relabelling drops.

        Raises ScrapeFailed, ExpositionError.
        """
        if not self._plain:
            return [self._slowly(shape, slot) for slot in slots]
        found: list[Labels | None] = []
        heads, lines, kinds = shape.heads, shape.lines[slots].tolist(), shape.kinds
        for slot, line in zip(slots, lines, strict=True):
            labels = self._quickly(heads[line], kinds[slot])
            found.append(self._slowly(shape, slot) if labels is None else labels)
        self._forget_values()
        return found

    def _slowly(self, shape: Shape, slot: int) -> Labels | None:
        return stored_labels(shape.labels(slot), self._target, self._config)

    def _quickly(self, head: bytes, kind: str) -> Labels | None:
        """Return the labels of a plain head, else None."""
        if b"\\" in head:
            return None
        try:
            parts = head.decode().split('"')
        except UnicodeDecodeError:
            return None
        key = (kind, *parts[::2])
        recipe = self._recipes[key] if key in self._recipes else self._learn(key)
        values = parts[1::2]
        # An empty value is no label: the place of others depends on it.
        if recipe is None or "" in values:
            return None
        return recipe.follow(values)

    def _forget_values(self) -> None:
        # Whatever is alive is held by the series that have it.
        for recipe in self._recipes.values():
            for named in () if recipe is None else recipe.named:
                named.clear()

    def _learn(self, key: tuple[str, ...]) -> _Recipe | None:
        if len(self._recipes) >= _MOST_RECIPES:
            self._recipes.clear()
        recipe = self._recipes[key] = self._recipe(*key)
        return recipe

    def _recipe(self, kind: str, *outside: str) -> _Recipe | None:
        """Return the recipe for heads of which `outside` stands around their values."""
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
