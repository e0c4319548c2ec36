"""What rule evaluation tells of itself; names as Prometheus', under our prefix."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controlplane.rules.state import Condition

_UNKNOWN: Final = tuple(each for each in Condition if each is not Condition.OK)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RuleMetrics:
    """Counters of the rule manager; `rule_group` is the group's `file;name`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluations = Counter(
            "controlplane_rule_evaluations_total",
            "Evaluations of rules, by the clock and reactive.",
            ["rule_group"],
            registry=registry,
        )
        self.failures = Counter(
            "controlplane_rule_evaluation_failures_total",
            "Evaluations of rules that failed.",
            ["rule_group"],
            registry=registry,
        )
        self.iterations = Counter(
            "controlplane_rule_group_iterations_total",
            "Slots of rule groups that came, evaluated or missed.",
            ["rule_group"],
            registry=registry,
        )
        self.missed = Counter(
            "controlplane_rule_group_iterations_missed_total",
            "Slots of rule groups without an evaluation: one still ran, or no replica had it.",
            ["rule_group"],
            registry=registry,
        )
        self.last_evaluation = Gauge(
            "controlplane_rule_group_last_evaluation_timestamp_seconds",
            "When a rule group was last evaluated.",
            ["rule_group"],
            registry=registry,
        )
        self.last_duration = Gauge(
            "controlplane_rule_group_last_duration_seconds",
            "How long the last evaluation of a rule group took.",
            ["rule_group"],
            registry=registry,
        )
        self.rules = Gauge(
            "controlplane_rule_group_rules",
            "Rules of a group.",
            ["rule_group"],
            registry=registry,
        )
        self.samples = Gauge(
            "controlplane_rule_group_last_evaluation_samples",
            "Samples that the last evaluation of a rule group gave.",
            ["rule_group"],
            registry=registry,
        )
        self.unknown = Gauge(
            "controlplane_rule_group_unknown_rules",
            "Alerting rules of a group that could not tell when last evaluated.",
            ["rule_group", "condition"],
            registry=registry,
        )
        self.duration = Histogram(
            "controlplane_rule_evaluation_duration_seconds",
            "How long the evaluation of one rule took.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.reactive_passes = Counter(
            "controlplane_rule_reactive_passes_total",
            "Evaluations that a commit of samples set off.",
            registry=registry,
        )
        self.reactive_seconds = Counter(
            "controlplane_rule_reactive_seconds_total",
            "Time spent on evaluations that commits set off.",
            registry=registry,
        )
        self.send_failures = Counter(
            "controlplane_rule_alert_send_failures_total",
            "Times that the alerts of an evaluation were not accepted; they are sent again.",
            registry=registry,
        )
        self.alerts_dropped = Counter(
            "controlplane_rule_alerts_dropped_total",
            "Alerts of rules that were found wrong and are not sent again.",
            registry=registry,
        )
        self.state_failures = Counter(
            "controlplane_rule_state_save_failures_total",
            "Times that the state of alerts could not be saved; it is tried again.",
            registry=registry,
        )
        self.shown_unsaved = Counter(
            "controlplane_rule_state_shown_unsaved_total",
            "Evaluations whose alerts were shown before their state was saved: it took too long.",
            registry=registry,
        )
        self.fenced = Counter(
            "controlplane_rule_passes_fenced_total",
            "Times that what evaluations of a group led to was dropped: another replica has it.",
            registry=registry,
        )

    def tell_unknown(self, key: str, conditions: Sequence[Condition]) -> None:
        """Say how many rules of a group cannot tell, by condition."""
        for condition in _UNKNOWN:
            self.unknown.labels(key, condition.value).set(conditions.count(condition))

    def forget(self, key: str) -> None:
        """Drop the series of a group that is gone."""
        for metric in (
            self.evaluations,
            self.failures,
            self.iterations,
            self.missed,
            self.last_evaluation,
            self.last_duration,
            self.rules,
            self.samples,
        ):
            metric.remove(key)
        for condition in _UNKNOWN:
            self.unknown.remove(key, condition.value)
