"""Which rules a commit of samples concerns, and how often they may be evaluated for it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Refs
from controlplane.rules.group import ORIGIN, Group
from controlplane.rules.members import Member
from controlplane.rules.ports import Queries
from controlplane.tsdb.ports import Queryable, Write

# Commits remembered for the next pass; beyond that the clock's pass sees to them.
_PENDING: Final = 1024
# Reactive work costs at most a tenth of a core: after a pass of one
# millisecond the next one begins nine milliseconds later, with all that came.
_REST: Final = 9


# Ticks that a pass is said to be triggered by; when many targets answer at once, the first.
_MOST_CAUSES: Final = 16


@dataclass(frozen=True, slots=True)
class _Commit:
    """The series of one commit, write after write, with each write's correlation id."""

    refs: Refs
    sizes: Sequence[int]
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Rules of a group that read of what was committed; `cause` names the ticks, comma between."""

    group: Group
    members: list[Member]
    cause: str


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
        self._pending: deque[_Commit] = deque(maxlen=_PENDING)

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
        concerned = [
            write for write in writes if len(write.refs) and not write.origin.startswith(ORIGIN)
        ]
        if not concerned:
            return False
        refs = np.concatenate([write.refs for write in concerned])
        # A series beyond the mask is new: only a fresh selection can tell.
        if int(refs.max()) < len(read) and not read[refs].any():
            return False
        sizes = [len(write.refs) for write in concerned]
        self._pending.append(_Commit(refs, sizes, [write.correlation_id for write in concerned]))
        return True

    def take(self) -> list[Concerned]:
        """Return the rules that read of the commits noted since the last call."""
        commits: list[_Commit] = []
        while self._pending:
            commits.append(self._pending.popleft())
        if not commits:
            return []
        refs = np.unique(np.concatenate([commit.refs for commit in commits]))
        refs = refs[refs >= 0]
        if len(refs):
            self._select(int(refs[-1]) + 1)
        found: dict[str, tuple[Group, list[_Watched]]] = {}
        for watched in self._watched:
            if watched.reads[refs].any():
                found.setdefault(watched.group.key, (watched.group, []))[1].append(watched)
        return [
            Concerned(group, [each.member for each in several], _causes(commits, several))
            for group, several in found.values()
        ]

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


def _causes(commits: Sequence[_Commit], watched: Sequence[_Watched]) -> str:
    """Return the ids of the writes that these rules read."""
    reads = watched[0].reads.copy()
    for each in watched[1:]:
        reads |= each.reads
    found: dict[str, None] = {}
    for commit in commits:
        # A ref below zero is that of a sample that was not taken.
        hits = reads[np.maximum(commit.refs, 0)] & (commit.refs >= 0)
        ends = np.cumsum(commit.sizes)
        for position in np.unique(np.searchsorted(ends, np.flatnonzero(hits), side="right")):
            if len(found) == _MOST_CAUSES:
                return ",".join(found)
            found[commit.ids[position]] = None
    return ",".join(found)


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
