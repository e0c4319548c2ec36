"""Which rules a commit of samples concerns, and how often they may be evaluated for it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Refs
from controlplane.rules.group import ORIGIN, Group, Member
from controlplane.rules.ports import Queries
from controlplane.tsdb.ports import Queryable, Write

# Commits remembered for the next pass; beyond that the clock's pass sees to them.
_PENDING: Final = 1024
# Reactive work costs at most a tenth of a core: after a pass of one
# millisecond the next one begins nine milliseconds later, with all that came.
_REST: Final = 9


@dataclass(slots=True)
class _Watched:
    group: Group
    member: Member
    reads: Mask


class Watch:
    """The reactive rules, and the series that each of them reads.

    `note` runs on the store's writer thread, everything else on the
    rule-evaluation thread.
    """

    def __init__(self, store: Queryable, query: Queries) -> None:
        self._store = store
        self._query = query
        self._watched: list[_Watched] = []
        self._generation = -1
        self._any = np.zeros(0, dtype=np.bool_)
        self._pending: deque[Refs] = deque(maxlen=_PENDING)

    def watch(self, groups: Sequence[Group]) -> None:
        """Watch the reactive rules of these groups from now on."""
        self._watched = [
            _Watched(group, member, np.zeros(0, dtype=np.bool_))
            for group in groups
            for member in group.members
            if member.reactive
        ]
        self._generation = -1
        self._any = np.zeros(0, dtype=np.bool_)

    def note(self, writes: Sequence[Write]) -> bool:
        """Remember a commit; tell whether a watched rule may read of it."""
        if not self._watched:
            return False
        read = self._any
        columns = [
            write.refs
            for write in writes
            if len(write.refs) and not write.origin.startswith(ORIGIN)
        ]
        if not columns:
            return False
        refs = np.concatenate(columns)
        # A series beyond the mask is new: only a fresh selection can tell.
        if int(refs.max()) < len(read) and not read[refs].any():
            return False
        self._pending.append(refs)
        return True

    def take(self) -> list[tuple[Group, list[Member]]]:
        """Return the rules that read of the commits noted since the last call."""
        columns = []
        while self._pending:
            columns.append(self._pending.popleft())
        if not columns:
            return []
        refs = np.unique(np.concatenate(columns))
        refs = refs[refs >= 0]
        if len(refs):
            self._select(int(refs[-1]) + 1)
        found: dict[str, tuple[Group, list[Member]]] = {}
        for watched in self._watched:
            if watched.reads[refs].any():
                found.setdefault(watched.group.key, (watched.group, []))[1].append(watched.member)
        return list(found.values())

    def _select(self, bound: int) -> None:
        """Look up which series each rule reads, when the set of series has changed."""
        querier = self._store.querier()
        if querier.generation == self._generation and bound <= len(self._any):
            return
        selected = [
            self._query.reads(watched.member.rule.rule.expr, querier) for watched in self._watched
        ]
        tops = [int(refs[-1]) + 1 for each in selected for refs in each if len(refs)]
        size = max(bound, len(self._any), *tops)
        combined = np.zeros(size, dtype=np.bool_)
        for watched, each in zip(self._watched, selected, strict=True):
            watched.reads = np.zeros(size, dtype=np.bool_)
            for refs in each:
                watched.reads[refs] = True
            combined |= watched.reads
        self._any = combined
        self._generation = querier.generation


class Pace:
    """Keeps reactive work to its share of time: a pass is followed by a rest."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until a pass may begin; monotonic seconds in and out."""
        return max(0.0, self._not_before - now)

    def spent(self, seconds: float, now: float) -> None:
        """Count a pass that took so long and ended now."""
        self._not_before = now + _REST * seconds
