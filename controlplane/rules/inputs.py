"""Whether what a rule reads could be read: the ground of `no_data`.

A series is *unread* when it went stale because its scrape or probe failed to
read it or did not run; not when it is missing from a good scrape, or when its
target is gone. The samples themselves tell, so a restart forgets nothing: a
failed scrape writes `up` 0 in the very instant in which it ends the series.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import HOUR, MINUTE
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    StringLiteral,
    VectorSelector,
    children,
)
from controlplane.promql.parser import parse
from controlplane.rules.options import Rule, Texts
from controlplane.rules.ports import SampleStore
from controlplane.tsdb.ports import Querier

# Evaluates to something because a series is not there.
_ABSENT: Final = frozenset({"absent", "absent_over_time"})
_RELABELLING: Final = frozenset({"label_replace", "label_join"})
_UP: Final = (Matcher(METRIC_NAME, MatchOp.EQUAL, "up"),)
_PROBED: Final = (Matcher(METRIC_NAME, MatchOp.EQUAL, "probe_success"),)
_PROBE: Final = "probe_"
# A target of which nothing was heard for longer was removed while we were away.
_FORGOTTEN: Final = HOUR
_LOOKBACK: Final = 5 * MINUTE
_OWN: Final = ("job", "instance")
# Scrapes of which is remembered whether they failed.
_REMEMBERED: Final = 100_000

_Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reads:
    """What an expression reads: matchers, and by how much earlier, of each selector.

    `made` are the names of labels whose values the expression makes up.
    """

    selectors: tuple[tuple[tuple[Matcher, ...], Duration], ...]
    made: frozenset[str]


@lru_cache(maxsize=4096)
def reads_of(expr: str) -> Reads:
    """Return what counts as input of an expression. Raises ParseError."""
    selectors: list[tuple[tuple[Matcher, ...], Duration]] = []
    made: set[str] = set()
    pending: list[Expr] = [parse(expr)]
    while pending:
        node = pending.pop()
        if isinstance(node, Call) and node.function in _ABSENT:
            continue
        if isinstance(node, VectorSelector):
            earlier = node.offset if isinstance(node.offset, int) else 0
            selectors.append((node.matchers, earlier))
        made.update(_made(node))
        pending.extend(children(node))
    return Reads(tuple(selectors), frozenset(made))


def _made(node: Expr) -> Iterable[str]:
    """Return the names of labels that a node gives values of its own."""
    if isinstance(node, BinaryExpr):
        return node.matching.include
    if isinstance(node, Call) and node.function in _RELABELLING:
        named = node.args[1]
        return (named.value,) if isinstance(named, StringLiteral) else ()
    if isinstance(node, AggregateExpr) and node.op == "count_values":
        return (node.param.value,) if isinstance(node.param, StringLiteral) else ()
    return ()


def _may_select(matchers: Sequence[Matcher], name: str) -> bool:
    return all(each.matches(name) for each in matchers if each.name == METRIC_NAME)


class Inputs:
    """Looks into the sample store. Belongs to the rule-evaluation thread."""

    def __init__(self, store: SampleStore, lookback: Duration = _LOOKBACK) -> None:
        """`lookback` is the engine's: how old a sample may be that is taken for the present."""
        self._store = store
        self._lookback = lookback
        self._moments: dict[Timestamp, _Moment] = {}
        # What was is not going to change, as long as the numbers of series mean the same.
        self._failed: dict[tuple[int, Timestamp], bool] = {}
        self._epoch = store.epoch
        self._recording: Sequence[tuple[Rule, Texts]] = ()
        self._recorded: frozenset[str] = frozenset()

    def watch(self, recording: Iterable[tuple[Rule, Texts]]) -> None:
        """Know the recording rules that our engine evaluates, with all their labels."""
        self._recording = tuple(recording)
        self._recorded = frozenset(rule.record for rule, _ in self._recording)

    def unread(
        self, reads: Reads, ts: Timestamp, through: frozenset[Rule] = frozenset()
    ) -> list[Labels]:
        """Return the series that an expression reads and that could not be read at `ts`.

        What a rule records is unread when what that rule reads is; `through`
        are the recording rules on the way.
        """
        found: dict[Labels, None] = {}
        for matchers, earlier in reads.selectors:
            moment = self._moment(ts - earlier)
            if not moment.failing:
                continue
            found.update(
                (each, None)
                for each in moment.unread(matchers)
                if each.value(METRIC_NAME) not in self._recorded
            )
            for rule, labels in self._recording:
                if rule not in through and _may_select(matchers, rule.record):
                    inner = reads_of(rule.expr)
                    ground = self.unread(inner, ts - earlier, through | {rule})
                    named = inner.made | {METRIC_NAME, *(name for name, _ in labels)}
                    record = Matcher(METRIC_NAME, MatchOp.EQUAL, rule.record)
                    lost = Unread(ground, named)
                    ended = moment.stale((*matchers, record)) if ground else ()
                    found.update(dict.fromkeys(each for each in ended if lost.concerns(each)))
        return list(found)

    def _moment(self, ts: Timestamp) -> "_Moment":
        """Return what failed at `ts`; the rules of a group ask for the same instant."""
        known = self._moments.get(ts)
        if known is None:
            if len(self._moments) > 3:
                self._moments.clear()
            if self._epoch != self._store.epoch or len(self._failed) > _REMEMBERED:
                self._failed, self._epoch = {}, self._store.epoch
            querier = self._store.querier()
            known = self._moments[ts] = _Moment(querier, ts, self._lookback, self._failed)
        return known


@dataclass(slots=True)
class _Target:
    """What is known of a target's last scrape or probe. `ref` is `up`'s or `probe_success`'."""

    ref: int
    failed: bool  # the last one failed; else none has run for too long


class _Moment:
    """The targets that could not be read at one instant, and the series of theirs."""

    def __init__(
        self,
        querier: Querier,
        ts: Timestamp,
        lookback: Duration,
        verdicts: dict[tuple[int, Timestamp], bool],
    ) -> None:
        """`verdicts` remember of scrapes whether they failed, by `up`'s number and the instant."""
        self._querier = querier
        self._ts = ts
        self._lookback = lookback
        self._verdicts = verdicts
        self._scrapes = self._states(_UP, fails=True)
        self._probes = self._states(_PROBED, fails=False)
        self.failing = bool(self._scrapes or self._probes)
        self._scraped = frozenset(self._identities(_UP)) if self.failing else frozenset()
        self._probed = frozenset(self._identities(_PROBED)) if self.failing else frozenset()

    def unread(self, matchers: Sequence[Matcher]) -> list[Labels]:
        """Return the unread ones of the series that match."""
        refs, newest = self._stale(self._querier.select(matchers))
        if not len(refs):
            return []
        marked = self._marked(refs, newest)
        return [
            labels
            for labels, at, ended in zip(
                self._querier.labels(refs), newest.tolist(), marked, strict=True
            )
            if self._is_unread(labels, at, ended=ended)
        ]

    def stale(self, matchers: Sequence[Matcher]) -> Sequence[Labels]:
        """Return those of the series that match that have no present sample."""
        return self._querier.labels(self._stale(self._querier.select(matchers))[0])

    def _is_unread(self, labels: Labels, at: Timestamp, *, ended: bool) -> bool:
        """Judge a stale series by its newest sample: at `at`, and a marker when it has `ended`."""
        own = (labels.value(_OWN[0]), labels.value(_OWN[1]))
        name = labels.value(METRIC_NAME)
        if name.startswith(_PROBE) and own in self._probed:
            return not ended and own in self._probes
        target = self._scrapes.get(own)
        if target is not None:
            return not ended or (target.failed and self._failed_at(target.ref, at))
        if own in self._scraped or not ended:
            return False
        # Its labels do not name its target (honor_labels): the instant of its end does.
        return any(each.failed and self._failed_at(each.ref, at) for each in self._scrapes.values())

    def _stale(self, refs: Refs) -> tuple[Refs, Refs]:
        """Return the series without a present sample, and when each had its newest."""
        gone = refs[~self._at(refs, self._ts, self._lookback)[0]]
        newest = self._querier.newest_times(gone)
        if newest is None:
            return gone[:0], gone[:0]
        before = (newest > 0) & (newest <= self._ts)
        return gone[before], newest[before]

    def _marked(self, refs: Refs, newest: Refs) -> list[bool]:
        """Tell for each series whether its newest sample is a staleness marker."""
        marked = np.ones(len(refs), dtype=np.bool_)
        for at in np.unique(newest):
            chosen = newest == at
            marked[chosen] = ~self._at(refs[chosen], int(at), 1)[0]
        found: list[bool] = marked.tolist()
        return found

    def _failed_at(self, ref: int, at: Timestamp) -> bool:
        """Tell whether the scrape at an instant failed."""
        known = self._verdicts.get((ref, at))
        if known is None:
            present, values = self._at(np.array([ref], dtype=np.int64), at, 1)
            known = self._verdicts[ref, at] = bool(present[0]) and values[0] == 0
        return known

    def _states(self, matchers: Sequence[Matcher], *, fails: bool) -> Mapping[_Identity, _Target]:
        """Return the targets whose last scrape or probe failed or did not run."""
        refs = self._querier.select(matchers)
        present, values = self._at(refs, self._ts, self._lookback)
        failed = present & (values == 0) if fails else np.zeros(len(refs), dtype=np.bool_)
        silent = np.zeros(len(refs), dtype=np.bool_)
        newest = self._querier.newest_times(refs)
        if newest is not None and not present.all():
            aged = ~present & (newest <= self._ts - self._lookback)
            aged &= newest > self._ts - self._lookback - _FORGOTTEN
            silent[aged] = ~np.array(self._marked(refs[aged], newest[aged]), dtype=np.bool_)
        if not (failed.any() or silent.any()):
            return {}
        identities = self._identities(matchers)
        return {
            identities[place]: _Target(int(refs[place]), bool(failed[place]))
            for place in np.flatnonzero(failed | silent).tolist()
        }

    def _identities(self, matchers: Sequence[Matcher]) -> list[_Identity]:
        """Return the job and instance of each series that matches."""
        found = self._querier.labels(self._querier.select(matchers))
        return [(each.value(_OWN[0]), each.value(_OWN[1])) for each in found]

    def _at(self, refs: Refs, ts: Timestamp, width: Duration) -> tuple[Mask, Values]:
        """Return where series have a sample within (ts - width, ts], and their values."""
        found = self._querier.instants(refs, np.array([ts], dtype=np.int64), width)
        return found.present[:, 0], found.values[:, 0]


@dataclass(slots=True)
class Unread:
    """The unread series of a rule, to be asked alert by alert."""

    series: Sequence[Labels]
    made: frozenset[str]
    _projected: dict[tuple[str, ...], tuple[frozenset[tuple[str, ...]], list[tuple[str, ...]]]] = (
        field(default_factory=dict)
    )

    def concerns(self, labels: Labels) -> bool:
        """Tell whether an alert with these labels may be about one of the series.

        It is when no label that the expression took over contradicts; a label
        that one of the two does not have (aggregated away) contradicts nothing.
        """
        names = tuple(name for name, _ in labels.pairs if name not in self.made)
        known = self._projected.get(names)
        if known is None:
            whole = frozenset(tuple(map(each.value, names)) for each in self.series)
            known = self._projected[names] = whole, [each for each in whole if "" in each]
        wanted = tuple(map(labels.value, names))
        whole, partial = known
        return wanted in whole or any(
            all(have in ("", want) for have, want in zip(each, wanted, strict=True))
            for each in partial
        )
