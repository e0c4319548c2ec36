"""The map of all targets: which cells there are, how they are grouped, and how they are drawn.

A cell is no element of its own: a group is one drawing with one path for each
state, in which neighbours of the same state are one dashed stroke. Ten
thousand targets are a few kilobytes. `static/fleet.js` draws the same paths.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.targets.index import Entry, State

# So many targets at most are shown as named cells.
NAMED: Final = 150
# What comes first is seen first.
STATES: Final = (State.DOWN, State.UNKNOWN, State.PAUSED, State.UP)
_MOST_GROUPS: Final = 80
# Labels that people group by, the best first.
_USUAL: Final = ("job", "team", "service", "env", "environment", "zone", "region", "cluster")
# From so many targets on, a cell is so many pixels wide.
_PITCHES: Final = ((4_000, 6), (1_500, 8), (400, 12), (0, 16))
_WIDEST: Final = 1_100
_MANY: Final = 1_500


@dataclass(frozen=True, slots=True)
class Standing:
    """How every target stands, in the order of names, and how many stand so."""

    states: Sequence[State]
    counts: Mapping[State, int]

    @classmethod
    def of(cls, states: Sequence[State]) -> "Standing":
        return cls(states, Counter(states))


@dataclass(frozen=True, slots=True)
class Group:
    """Targets with the same value of a label, as places in the order of names.

    `value` is None for what is left over of too many groups.
    """

    value: str | None
    members: Sequence[int]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The label that targets are grouped by, empty when they are not; others that would do."""

    label: str
    others: Sequence[str]
    groups: Sequence[Group]
    pitch: int


@dataclass(frozen=True, slots=True)
class Block:
    """One group as it is drawn. `paths` are SVG paths by state."""

    value: str | None
    selector: str
    size: int
    columns: int
    width: int
    height: int
    counts: Mapping[State, int]
    paths: Mapping[State, str]


def group(entries: Sequence[Entry], asked: str = "") -> Grouping:
    """Return targets grouped by the label that was asked for, else by one that divides them well.

    Fleets with as many groups as targets are not divided at all.
    """
    values = _values(entries)
    most = min(_MOST_GROUPS, max(2, len(entries) // 3))
    fit = [name for name in sorted(values, key=_rank) if 2 <= len(values[name]) <= most]
    label = asked if asked in values else next(iter(fit), "")
    members: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        members.setdefault(entry.labels.value(label) if label else "", []).append(place)
    ordered = sorted(members, key=lambda value: (-len(members[value]), value))
    shown = [Group(value, members[value]) for value in sorted(ordered[:_MOST_GROUPS])]
    left = [place for value in ordered[_MOST_GROUPS:] for place in members[value]]
    if left:
        shown.append(Group(None, sorted(left)))
    pitch = next(pitch for least, pitch in _PITCHES if len(entries) >= least)
    return Grouping(label, fit, shown, pitch)


def blocks(grouping: Grouping, states: Sequence[State]) -> Sequence[Block]:
    """Return the groups as they are drawn."""
    return [_block(grouping, each, states) for each in grouping.groups]


def _block(grouping: Grouping, each: Group, states: Sequence[State]) -> Block:
    of_members = [states[place] for place in each.members]
    size, pitch = len(of_members), grouping.pitch
    columns = columns_of(size, pitch)
    return Block(
        value=each.value,
        selector=_selector(grouping.label, each.value),
        size=size,
        columns=columns,
        width=columns * pitch,
        height=-(-size // columns) * pitch,
        counts=Counter(of_members),
        paths=paths(of_members, columns, pitch),
    )


def columns_of(size: int, pitch: int) -> int:
    """Return how many cells stand beside each other in a group of so many."""
    shape = 4 if size > _MANY else 1.6
    return max(1, min(math.ceil(math.sqrt(size * shape)), _WIDEST // pitch))


def paths(states: Sequence[State], columns: int, pitch: int) -> Mapping[State, str]:
    """Return the cells as paths: each run of one state within a row is one stroke."""
    drawn: dict[State, list[str]] = {state: [] for state in STATES}
    size = len(states)
    for start in range(0, size, columns):
        row = states[start : start + columns]
        y = f"{start // columns * pitch + pitch / 2:g}"
        left = 0
        for right in range(1, len(row) + 1):
            if right == len(row) or row[right] is not row[left]:
                drawn[row[left]].append(f"M{left * pitch} {y}h{(right - left) * pitch - 1}")
                left = right
    return {state: "".join(strokes) for state, strokes in drawn.items()}


def prefix_length(ids: Sequence[str]) -> int:
    """Return how many characters of the ids tell them apart; all ids are as long as each other."""
    length = 8
    while length < 32 and len({each[:length] for each in ids}) < len(ids):
        length += 4
    return length


def _values(entries: Sequence[Entry]) -> Mapping[str, set[str]]:
    """Return the values of each label; of what has too many, no more than needed to see that."""
    values: dict[str, set[str]] = {}
    for entry in entries:
        for name, value in entry.labels.pairs:
            known = values.get(name)
            if known is None:
                known = values[name] = set()
            if len(known) <= _MOST_GROUPS:
                known.add(value)
    return values


def _rank(name: str) -> tuple[int, str]:
    return (_USUAL.index(name) if name in _USUAL else len(_USUAL), name)


def _selector(label: str, value: str | None) -> str:
    if not label or value is None:
        return ""
    return format_matchers((Matcher(label, MatchOp.EQUAL, value),))
