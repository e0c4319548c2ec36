"""What autoscaling tells of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.options import Policy


class AutoscaleMetrics:
    """Gauges of what is, counters of what was decided and done."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.desired = Gauge(
            "controlplane_autoscaling_desired_replicas",
            "Replicas that a policy asks for.",
            ["policy"],
            registry=registry,
        )
        self.current = Gauge(
            "controlplane_autoscaling_current_replicas",
            "Replicas that there are.",
            ["policy"],
            registry=registry,
        )
        self.bounds = Gauge(
            "controlplane_autoscaling_bound_replicas",
            "The bounds of a policy: min and max.",
            ["policy", "bound"],
            registry=registry,
        )
        self.value = Gauge(
            "controlplane_autoscaling_metric_value",
            "The last value that a metric had.",
            ["policy", "metric"],
            registry=registry,
        )
        self.limit = Gauge(
            "controlplane_autoscaling_metric_limit",
            "What a metric is held against: target, up or down.",
            ["policy", "metric", "limit"],
            registry=registry,
        )
        self.seen = Gauge(
            "controlplane_autoscaling_metric_timestamp_seconds",
            "When a metric last had a value, or since when it is asked for.",
            ["policy", "metric"],
            registry=registry,
        )
        self.at_max = Gauge(
            "controlplane_autoscaling_limited_by_max",
            "1 while a policy would ask for more than its maximum.",
            ["policy"],
            registry=registry,
        )
        self.evaluations = Counter(
            "controlplane_autoscaling_evaluations_total",
            "Evaluations of policies, by what came of them.",
            ["policy", "outcome"],
            registry=registry,
        )
        self.actions = Counter(
            "controlplane_autoscaling_actions_total",
            "Changes that were carried out.",
            ["policy", "direction"],
            registry=registry,
        )
        self.turns = Counter(
            "controlplane_autoscaling_turns_total",
            "Times that a policy asked for fewer after asking for more, or the other way round.",
            ["policy"],
            registry=registry,
        )
        self.unstored = Counter(
            "controlplane_autoscaling_decisions_unstored_total",
            "Decisions that could not be written to the database.",
            registry=registry,
        )

    def begin(self, policy: Policy, now: float) -> None:
        """Show a policy's bounds and limits; its metrics are asked for from now on."""
        self.turns.labels(policy.name)
        self.bounds.labels(policy.name, "min").set(policy.min_replicas)
        self.bounds.labels(policy.name, "max").set(policy.max_replicas)
        for metric in policy.metrics:
            up, down = metric.thresholds
            limits = {
                "target": None if metric.target is None else metric.target.value,
                "up": None if up is None else up.threshold,
                "down": None if down is None else down.threshold,
            }
            for name, limit in limits.items():
                if limit is not None:
                    self.limit.labels(policy.name, metric.name, name).set(limit)
            self.seen.labels(policy.name, metric.name).set(now)

    def note(self, decision: Decision) -> None:
        """Show a decision."""
        name = decision.policy
        self.evaluations.labels(name, decision.outcome.value).inc()
        self.at_max.labels(name).set(decision.limited_by_max)
        if decision.desired is not None:
            self.desired.labels(name).set(decision.desired)
        if decision.current is not None:
            self.current.labels(name).set(decision.current)
        if decision.outcome is Outcome.SCALED:
            self.actions.labels(name, decision.direction).inc()
        for verdict in decision.verdicts:
            if verdict.value is not None:
                self.value.labels(name, verdict.metric).set(verdict.value)
                self.seen.labels(name, verdict.metric).set(decision.at / 1000)

    def forget(self, policy: Policy) -> None:
        """Show a policy that is gone no more; what was counted stays."""
        labels = {"policy": policy.name}
        for gauge in (self.desired, self.current, self.bounds, self.at_max):
            gauge.remove_by_labels(labels)
        for gauge in (self.value, self.limit, self.seen):
            gauge.remove_by_labels(labels)
