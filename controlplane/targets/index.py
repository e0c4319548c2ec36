"""All targets in memory: by id, by name, and in order, for lists that page by name."""

import base64
import binascii
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.target import Provenance, Target
from controlplane.targets.ports import LastOutcome

MAX_LIMIT: Final = 1_000


class State(StrEnum):
    """How a target stands. An expired lease is no state: it is probed on."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Query:
    """Which targets a list shows. An empty tuple asks for all.

    A target is shown when it fulfils every matcher of at least one of the
    sets in `match` (each a `match[]` parameter).
    """

    limit: int = 100
    cursor: str | None = None
    match: tuple[tuple[Matcher, ...], ...] = ()
    states: tuple[State, ...] = ()
    provenances: tuple[Provenance, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page, in order of names, and the cursor of the next one."""

    items: tuple[tuple[Target, State], ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A target with its labels, which are asked for far more often than they change."""

    target: Target
    labels: Labels


class TargetIndex:
    """The targets of a registry. Changed on the event loop only."""

    def __init__(self) -> None:
        self._by_id: dict[str, Entry] = {}
        self._ids: dict[str, str] = {}
        self._ordered: tuple[Entry, ...] | None = ()
        self.version = 0
        self.counts: Counter[Provenance] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Target]:
        return (entry.target for entry in self._by_id.values())

    def put(self, target: Target) -> None:
        """Add a target, or replace the one with its id."""
        previous = self._by_id.get(target.id)
        entry = Entry(target, target.labels())
        if previous is not None:
            self.counts[previous.target.provenance] -= 1
        self.counts[target.provenance] += 1
        self._by_id[target.id] = entry
        self._ids[target.name] = target.id
        self._ordered = None
        if previous is None or previous.labels != entry.labels:
            self.version += 1

    def renew(self, target: Target) -> None:
        """Replace a target that differs only in when it was renewed: no label changes."""
        self._by_id[target.id] = Entry(target, self._by_id[target.id].labels)
        self._ordered = None

    def remove(self, target: Target) -> None:
        """Forget a target."""
        del self._by_id[target.id], self._ids[target.name]
        self._ordered = None
        self.counts[target.provenance] -= 1
        self.version += 1

    def get(self, target_id: str) -> Target | None:
        entry = self._by_id.get(target_id)
        return entry.target if entry else None

    def named(self, name: str) -> Target | None:
        target_id = self._ids.get(name)
        return self.get(target_id) if target_id is not None else None

    def ordered(self) -> tuple[Entry, ...]:
        """Return all entries by name: an immutable snapshot, safe in any thread."""
        if self._ordered is None:
            entries = self._by_id.values()
            self._ordered = tuple(sorted(entries, key=lambda entry: entry.target.name))
        return self._ordered


def page(entries: Sequence[Entry], query: Query, last_outcome: LastOutcome) -> Page:
    """Return the page of `entries` (by name) that `query` asks for. Raises InvalidInput.

    The cursor is the last name shown, so what is added or removed between two
    pages neither repeats a target nor hides one that was there throughout.
    """
    if not 1 <= query.limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is between 1 and {MAX_LIMIT}", pointer="?limit")
    start = 0
    if query.cursor is not None:
        after = _from_cursor(query.cursor)
        start = bisect_right(entries, after, key=lambda entry: entry.target.name)
    is_matched = _matching(query.match)
    items: list[tuple[Target, State]] = []
    for entry in entries[start:]:
        target = entry.target
        if query.provenances and target.provenance not in query.provenances:
            continue
        if not is_matched(entry.labels):
            continue
        state = state_of(target, last_outcome)
        if query.states and state not in query.states:
            continue
        if len(items) == query.limit:
            return Page(tuple(items), _to_cursor(items[-1][0].name))
        items.append((target, state))
    return Page(tuple(items), None)


def state_of(target: Target, last_outcome: LastOutcome) -> State:
    """Return how a target stands by its last probe."""
    if target.operator.paused:
        return State.PAUSED
    outcome = last_outcome(target.id)
    if outcome is None:
        return State.UNKNOWN
    return State.UP if outcome else State.DOWN


def _matching(match: Sequence[Sequence[Matcher]]) -> Callable[[Labels], bool]:
    """Return what tells whether labels fulfil one of the sets.

    Each matcher looks at a value once: targets share most values, and a list
    over ten thousand of them must not hold up the event loop.
    """
    if not match:
        return lambda _labels: True
    verdicts = [
        [(matcher.name, cache(matcher.matches)) for matcher in matchers] for matchers in match
    ]

    def is_matched(labels: Labels) -> bool:
        for matchers in verdicts:
            for name, matches in matchers:
                if not matches(labels.value(name)):
                    break
            else:
                return True
        return False

    return is_matched


def _to_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> str:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise InvalidInput("not a cursor of this list", pointer="?cursor") from None
