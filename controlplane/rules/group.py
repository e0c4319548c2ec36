"""A rule group: its rules one after the other at one instant, each seeing what came before.

Belongs to the rule-evaluation thread, except for `status()`.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from controlplane.clock import Clock, Timestamp
from controlplane.errors import ControlPlaneError, Unavailable
from controlplane.model.alert import Alert
from controlplane.model.duration import MINUTE
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.model.samples import STALE_NAN, Refs
from controlplane.rules.alerting import AlertingRule
from controlplane.rules.changes import tell_changes
from controlplane.rules.inputs import Inputs
from controlplane.rules.members import Member, members_of
from controlplane.rules.metrics import RuleMetrics
from controlplane.rules.options import Rule, RuleGroup, RulesOptions, Texts
from controlplane.rules.ports import Doubt, QueryFunc, SampleStore, StateChange
from controlplane.rules.produced import Produced
from controlplane.rules.pushdown import Answers, Question
from controlplane.rules.recording import RecordingRule
from controlplane.rules.state import RuleAlert
from controlplane.rules.status import Evaluation, GroupStatus, Health, Shown
from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage
from controlplane.telemetry.traces import exemplar, span
from controlplane.tsdb.ports import Write

log = get_logger(__name__)

# Writes of rules name their group after this, so that nobody takes them for a scrape.
ORIGIN: Final = "rules/"
_HISTORY: Final = 20
# Of series whose numbers in the store are not known.
_NO_EPOCH: Final = -1


@dataclass(frozen=True, slots=True)
class Pass:
    """What one evaluation of a group, or of some of its rules, leads to.

    `show` lets the alerts be seen, in the API and as `ALERTS`: to be called once
    `changes` are saved, so that a killed process knows again what it showed.
    None when there is nothing to show, or when it has been shown already.
    `fence` is what must still hold of `group` when any of it is written.
    """

    alerts: Sequence[Alert] = ()
    changes: Sequence[StateChange] = ()
    show: Callable[[], None] | None = None
    doubts: Sequence[Doubt] = ()
    group: str = ""
    fence: Fence = OPEN


@dataclass(frozen=True, slots=True)
class _Held:
    """The samples by which a pass tells its alerts; their numbers are of one epoch."""

    epoch: int
    writes: list[Write] = field(default_factory=list)


class Group:
    """One rule group under the options in force.

    With `hold` what a pass finds is seen only when the `show` of its result
    is called; but the `ALERTS` of a rule that a later rule of the group reads
    are written at once, or that one would not see them in this pass. Without
    `inputs` the semantics are plainly Prometheus'.
    """

    def __init__(
        self,
        group: RuleGroup,
        options: RulesOptions,
        *,
        query: QueryFunc,
        store: SampleStore,
        metrics: RuleMetrics,
        clock: Clock,
        hold: bool = False,
        inputs: Inputs | None = None,
    ) -> None:
        self.group = group
        self.key = group.key
        self.interval = options.interval(group)
        self.query_offset = options.query_offset(group)
        self.members = members_of(group, options)
        self._query = query
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._outages = {each.rule.rule_id: Outage(log, clock.monotonic) for each in self.members}
        self._hold = hold
        self._inputs = inputs
        self._orphans: set[Labels] = set()
        # The slot in which the replica evaluated it last that had it before.
        self.taken_from: Timestamp | None = None
        self._last_evaluation: Timestamp = 0
        self._seconds = 0.0
        self._answers: Answers | None = None

    @property
    def alerting(self) -> list[AlertingRule]:
        return [m.rule for m in self.members if isinstance(m.rule, AlertingRule)]

    @property
    def recording(self) -> list[tuple[Rule, Texts]]:
        """The recording rules that our engine evaluates, with all their labels."""
        return [
            (member.rule.rule, member.rule.labels)
            for member in self.members
            if isinstance(member.rule, RecordingRule) and member.engine is None
        ]

    def questions(self, ts: Timestamp) -> list[Question]:
        """Return what other engines are to be asked for a pass at `ts`; from any thread."""
        at, before = ts - self.query_offset, self._answers
        own = [
            Question(member.engine, member.rule.rule.expr, at)
            for member in self.members
            if member.engine is not None
        ]
        return [*own, *before.asked_again(ts)] if before is not None else own

    def evaluate(self, ts: Timestamp, correlation_id: str, answers: Answers | None = None) -> Pass:
        """Evaluate every rule at `ts`, in order; `answers` are those to the questions of then."""
        started = self._clock.monotonic()
        self._answers = answers
        with correlated(correlation_id), span("rule group", rule_group=self.key):
            samples, held = self._run(self.members, ts, correlation_id, reactive=False)
            self._bury_orphans(ts, correlation_id)
        self._last_evaluation = ts
        self._seconds = self._clock.monotonic() - started
        self._metrics.last_evaluation.labels(self.key).set(ts / 1000)
        self._metrics.last_duration.labels(self.key).set(self._seconds)
        self._metrics.samples.labels(self.key).set(samples)
        self._metrics.tell_unknown(self.key, [rule.verdict.condition for rule in self.alerting])
        return self._pass(self.members, held, correlation_id)

    def evaluate_reactive(
        self, members: Sequence[Member], ts: Timestamp, correlation_id: str, cause: str = ""
    ) -> Pass:
        """Evaluate some alerting rules because samples that they read have come.

        `cause` is the correlation id of the tick that brought them.
        """
        with (
            correlated(correlation_id, cause=cause),
            span("rule group", rule_group=self.key, reactive=True),
        ):
            _, held = self._run(members, ts, correlation_id, reactive=True)
        return self._pass(members, held, correlation_id)

    def take_over(self, old: "Group") -> None:
        """Keep the state of rules that are the same in the group before a reload."""
        self._last_evaluation, self._seconds = old._last_evaluation, old._seconds
        self._orphans = set(old._orphans)
        by_id = {member.rule.rule_id: member for member in old.members}
        for member in self.members:
            before = by_id.pop(member.rule.rule_id, None)
            if before is None:
                continue
            member.written, member.epoch = before.written, before.epoch
            member.last_ts = before.last_ts
            if isinstance(member.rule, AlertingRule) and isinstance(before.rule, AlertingRule):
                member.rule.adopt(before.rule)
        for gone in by_id.values():
            self._orphans.update(gone.written)

    def resemble(self, old: "Group") -> None:
        """Look as the group does that is not evaluated here any more, and remember nothing."""
        self._last_evaluation, self._seconds = old._last_evaluation, old._seconds
        by_id = {rule.rule_id: rule for rule in old.alerting}
        for rule in self.alerting:
            before = by_id.get(rule.rule_id)
            if before is not None:
                rule.shown.alerts = before.shown.alerts

    def restore(
        self,
        kept: Mapping[str, Sequence[RuleAlert]],
        now: Timestamp,
        correlation_id: str,
        *,
        evaluated: Timestamp | None,
    ) -> list[Alert]:
        """Go on where the state that is kept ends; return what is to be sent at once.

        `evaluated` is the slot in which another replica had the group last, if
        that is known. When it was a moment ago nothing has been missed, and an
        alert that the next pass does not find is over.
        """
        self.taken_from = evaluated
        moment = max(2 * self.interval, MINUTE)
        warm = evaluated is not None and now - evaluated <= moment
        due: list[Alert] = []
        for member in self.members:
            rule = member.rule
            if not isinstance(rule, AlertingRule):
                continue
            if not rule.alerts:
                rule.restore(kept.get(rule.rule_id, ()), now, warm=warm)
                # Their end is to be seen in `ALERTS` too, whoever wrote them.
                member.written, member.epoch = dict.fromkeys(rule.series, 0), _NO_EPOCH
            due += rule.due(now, correlation_id)
        return due

    def written(self) -> set[Labels]:
        """Return the series that the group's rules gave when they were last evaluated."""
        return {labels for member in self.members for labels in member.written}

    def bury(self, ts: Timestamp, kept: AbstractSet[Labels]) -> None:
        """End every series of a group that is gone, but those that another writes now."""
        self._orphans |= self.written() - kept
        self.members = []
        self._bury_orphans(ts, "")

    def status(self) -> GroupStatus:
        """Return how the group fares; callable from any thread."""
        return GroupStatus(
            name=self.group.name,
            file=self.group.file,
            interval=self.interval,
            limit=self.group.limit,
            query_offset=self.query_offset,
            last_evaluation=self._last_evaluation,
            evaluation_seconds=self._seconds,
            rules=tuple(member.status() for member in self.members),
        )

    def _pass(self, members: Sequence[Member], held: _Held, correlation_id: str) -> Pass:
        """Return what is to be sent, each rule's at the instant of its evaluation.

        That may lie after the slot: what a reactive pass has sent is not sent again.
        """
        rules = [(m.rule, m.last_ts) for m in members if isinstance(m.rule, AlertingRule)]
        alerts = [alert for rule, at in rules for alert in rule.due(at, correlation_id)]
        changes = [rule.take_change() for rule, _ in rules]
        doubts = [doubt for rule, _ in rules for doubt in rule.take_doubts()]
        shown = [(rule.shown, rule.alerts) for rule, _ in rules if rule.alerts != rule.shown.alerts]
        show = partial(self._show, shown, held) if shown or held.writes else None
        if show is not None and not self._hold:
            show()
            show = None
        return Pass(alerts, [change for change in changes if change], show, doubts)

    def _show(self, shown: Sequence[tuple[Shown, tuple[RuleAlert, ...]]], held: _Held) -> None:
        """Let alerts be seen; callable from any thread, pass after pass."""
        for where, alerts in shown:
            where.alerts = alerts
        # Numbers that were given back meanwhile may be other series' by now.
        if held.epoch == self._store.epoch:
            self._append(held.writes)

    def _run(
        self, members: Sequence[Member], ts: Timestamp, correlation_id: str, *, reactive: bool
    ) -> tuple[int, _Held]:
        """Evaluate rules; return the number of samples, and the writes to be held back."""
        writes: list[Write] = []
        held = _Held(self._store.epoch)
        samples = 0
        for member in members:
            if member.waits and writes:
                self._append(writes)
                writes = []
                self._store.flush()
            at = self._instant(member, ts)
            produced = self._evaluate(member, at, correlation_id, reactive=reactive)
            member.last_ts = at
            if produced is None:
                continue
            samples += len(produced.series)
            if produced.changed or not reactive:
                at_once = member.awaited or isinstance(member.rule, RecordingRule)
                made = self._write(member, produced, at, correlation_id)
                (writes if at_once else held.writes).extend(made)
        self._append(writes)
        return samples, held

    def _instant(self, member: Member, ts: Timestamp) -> Timestamp:
        """Return `ts`, or the instant after a reactive pass that came in since the slot began."""
        ahead = member.last_ts - ts
        return member.last_ts + 1 if member.reactive and 0 <= ahead < self.interval else ts

    def _evaluate(
        self, member: Member, ts: Timestamp, correlation_id: str, *, reactive: bool
    ) -> Produced | None:
        started = self._clock.monotonic()
        produced, error = None, ""
        before = member.rule.alerts if isinstance(member.rule, AlertingRule) else ()
        try:
            produced = self._produce(member, ts, reactive=reactive)
        except ControlPlaneError as refused:
            error = str(refused)
            if self._inputs is not None and isinstance(member.rule, AlertingRule):
                produced = member.rule.fail(ts, refused)
            self._outages[member.rule.rule_id].fails(
                "rule failed", **self._names(member), reason=error
            )
            self._metrics.failures.labels(self.key).inc()
        else:
            self._outages[member.rule.rule_id].works("rule works again", **self._names(member))
        if produced is not None and isinstance(member.rule, AlertingRule):
            tell_changes(self.key, member.rule.rule.name, before, member.rule.alerts)
        seconds = self._clock.monotonic() - started
        self._metrics.evaluations.labels(self.key).inc()
        self._metrics.duration.observe(seconds, exemplar())
        member.health = Health.ERROR if error else Health.OK
        member.last_error = error
        count = len(produced.series) if produced else 0
        newest = Evaluation(ts, seconds, count, error, reactive, correlation_id)
        member.history = (*member.history[1 - _HISTORY :], newest)
        return produced

    def _names(self, member: Member) -> dict[str, str]:
        return {"rule_group": self.key, "rule": member.rule.rule.name}

    def _produce(self, member: Member, ts: Timestamp, *, reactive: bool) -> Produced:
        """Evaluate a rule. What another engine reads we cannot look into."""
        rule, query, limit = member.rule, self._query_of(member), self.group.limit
        if isinstance(rule, RecordingRule):
            return rule.evaluate(ts, query, query_offset=self.query_offset, limit=limit)
        return rule.evaluate(
            ts,
            query,
            query_offset=self.query_offset,
            limit=limit,
            inputs=self._inputs if member.engine is None else None,
            reactive=reactive,
        )

    def _query_of(self, member: Member) -> QueryFunc:
        if member.engine is None:
            return self._query
        if self._answers is None:
            raise Unavailable("no datasource was asked")
        return self._answers.of(member.engine, member.rule.rule.expr)

    def _write(
        self, member: Member, produced: Produced, ts: Timestamp, correlation_id: str
    ) -> list[Write]:
        """Return the samples of a rule, and markers for series that it no longer gives."""
        at, origin = ts - self.query_offset, f"{ORIGIN}{self.key}"
        gone = np.zeros(0, dtype=np.int64)
        if produced.series is not member.series or member.epoch != self._store.epoch:
            member.refs = self._store.refs(produced.series)
            gone = self._gone(member, produced.series)
            member.series, member.epoch = produced.series, self._store.epoch
            member.written = dict(zip(produced.series, member.refs.tolist(), strict=True))
        writes = []
        if len(member.refs):
            found = None if produced.histograms is None else produced.histograms.tolist()
            writes.append(Write(origin, at, member.refs, produced.values, correlation_id, found))
        if len(gone):
            markers = np.full(len(gone), STALE_NAN)
            writes.append(Write(origin, at, gone, markers, correlation_id))
        return writes

    def _gone(self, member: Member, series: Sequence[Labels]) -> Refs:
        missing = member.written.keys() - set(series)
        if member.epoch == self._store.epoch:
            return np.array([member.written[labels] for labels in missing], dtype=np.int64)
        return self._store.refs(list(missing))

    def _bury_orphans(self, ts: Timestamp, correlation_id: str) -> None:
        """End the series of rules that are gone, unless another rule here writes them."""
        dead = list(self._orphans - self.written()) if self._orphans else []
        self._orphans = set()
        if dead:
            refs, values = self._store.refs(dead), np.full(len(dead), STALE_NAN)
            at = ts - self.query_offset
            self._append([Write(f"{ORIGIN}{self.key}", at, refs, values, correlation_id)])

    def _append(self, writes: Sequence[Write]) -> None:
        if not writes:
            return
        try:
            self._store.append(writes)
        except ControlPlaneError as refused:
            log.warning("samples of rules refused", rule_group=self.key, reason=str(refused))
            self._metrics.failures.labels(self.key).inc()
