"""The rules of a group: what each depends on, and how it fares."""

import hashlib
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import Refs
from controlplane.rules.alerting import AlertingRule, Surroundings
from controlplane.rules.dependencies import reads, selectors
from controlplane.rules.options import Rule, RuleGroup, RulesOptions, Texts
from controlplane.rules.recording import RecordingRule
from controlplane.rules.state import WELL, Condition
from controlplane.rules.status import Evaluation, Health, RuleStatus
from controlplane.tsdb.remote.options import Datasource


@dataclass(slots=True)
class Member:
    """A rule in its group, with the series that it wrote last and how it fared."""

    rule: AlertingRule | RecordingRule
    waits: bool  # it reads what an earlier rule of the group writes
    awaited: bool  # a later rule of the group reads what it writes
    reactive: bool
    engine: Datasource | None = None  # evaluates it in place of ours
    series: Sequence[Labels] = ()
    written: dict[Labels, int] = field(default_factory=dict)
    refs: Refs = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    epoch: int = 0
    last_ts: Timestamp = 0
    health: Health = Health.UNKNOWN
    last_error: str = ""
    # Replaced whole: the API reads it on another thread.
    history: tuple[Evaluation, ...] = ()

    def status(self) -> RuleStatus:
        history = self.history
        newest = history[-1] if history else Evaluation(0, 0.0, 0)
        rule = self.rule
        verdict = rule.verdict if isinstance(rule, AlertingRule) else WELL
        blind = verdict.condition is Condition.NO_DATA
        return RuleStatus(
            rule_id=rule.rule_id,
            rule=rule.rule,
            labels=rule.labels,
            health=Health.UNKNOWN if blind else self.health,
            last_error=verdict.reason if blind else self.last_error,
            last_evaluation=newest.ts,
            evaluation_seconds=newest.seconds,
            alerts=rule.shown.alerts if isinstance(rule, AlertingRule) else (),
            history=history,
            reactive=self.reactive,
            verdict=verdict,
        )


def members_of(group: RuleGroup, options: RulesOptions) -> list[Member]:
    """Return the rules of a group, in their order, under the options in force."""
    around = Surroundings(options.external_labels, options.external_url, options.resend_delay)
    interval = options.interval(group)
    selected = [selectors(rule.expr) for rule in group.rules]
    members = []
    for i, (rule, rule_id) in enumerate(zip(group.rules, rule_ids(group), strict=True)):
        labels = _labels(group, rule)
        reads_recorded = any(other.record and reads(selected[i], other) for other in group.rules)
        made: AlertingRule | RecordingRule = (
            AlertingRule(
                rule,
                rule_id,
                labels,
                interval,
                around,
                group=group.name,
                policies=options.policies(group, rule),
            )
            if rule.alert
            else RecordingRule(rule, rule_id, labels)
        )
        members.append(
            Member(
                made,
                waits=any(reads(selected[i], earlier) for earlier in group.rules[:i]),
                awaited=any(reads(later, rule) for later in selected[i + 1 :]),
                reactive=bool(rule.alert)
                and options.reactive(group, rule)
                and not options.query_offset(group)
                and not reads_recorded,
                engine=options.engine(group, rule),
            )
        )
    return members


def _labels(group: RuleGroup, rule: Rule) -> Texts:
    merged = dict(group.labels) | dict(rule.labels)
    merged.pop(METRIC_NAME, None)
    return tuple(sorted(merged.items()))


def rule_ids(group: RuleGroup) -> list[str]:
    """Return a stable id for each rule: of its file, group, name and labels.

    Rules that are alike in all of these are told apart by their order.
    """
    seen: Tally[str] = Tally()
    ids = []
    for rule in group.rules:
        kind = "alert" if rule.alert else "record"
        text = repr((group.key, kind, rule.name, _labels(group, rule)))
        seen[text] += 1
        ids.append(hashlib.sha256(f"{text}#{seen[text]}".encode()).hexdigest()[:32])
    return ids
