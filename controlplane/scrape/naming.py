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


@dataclass(frozen=True, slots=True)
class _Recipe:
    """`pairs` is what is stored, in its order, with marks in place of values.

    `places` has, for each value of a head, where it goes and under which name.
    `number` is the value that is written one way (a bucket's bound), or -1.
    """

    pairs: Sequence[_Pair]
    places: Sequence[tuple[int, str]]
    number: int


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
        # Equal pairs of many series are one object.
        shared: dict[_Pair, _Pair] = {}
        heads, lines, kinds = shape.heads, shape.lines[slots].tolist(), shape.kinds
        for slot, line in zip(slots, lines, strict=True):
            labels = self._quickly(heads[line], kinds[slot], shared)
            found.append(self._slowly(shape, slot) if labels is None else labels)
        return found

    def _slowly(self, shape: Shape, slot: int) -> Labels | None:
        return stored_labels(shape.labels(slot), self._target, self._config)

    def _quickly(self, head: bytes, kind: str, shared: dict[_Pair, _Pair]) -> Labels | None:
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
        if recipe.number >= 0:
            values[recipe.number] = normalised_number(values[recipe.number])
        pairs = list(recipe.pairs)
        for (place, name), value in zip(recipe.places, values, strict=True):
            pair = (name, value)
            pairs[place] = shared.setdefault(pair, pair)
        return Labels.of_sorted(tuple(pairs))

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
        found = {value: (place, name) for place, (name, value) in enumerate(stored.pairs)}
        number = served.get(NUMERIC_LABEL.get(kind, ""), "")
        return _Recipe(
            stored.pairs,
            [found[mark] for mark in marks],
            marks.index(number) if number in marks else -1,
        )
