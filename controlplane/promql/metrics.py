"""What the engine counts about itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class EngineMetrics:
    """Queries by kind and outcome, their duration, the plans at hand."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "controlplane_query_seconds",
            "Time it took to evaluate an expression.",
            ["kind"],
            registry=registry,
            buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60),
        )
        # Looked up once: a small rule takes less time than the look-up.
        self.seconds = {kind: seconds.labels(kind) for kind in ("instant", "range")}
        self.failures = Counter(
            "controlplane_query_failures_total",
            "Evaluations that ended in an error, by its kind.",
            ["reason"],
            registry=registry,
        )
        self.compiled = Counter(
            "controlplane_query_plans_compiled_total",
            "Expressions that were parsed and compiled.",
            registry=registry,
        )
        self.plans = Gauge(
            "controlplane_query_plans", "Compiled expressions at hand.", registry=registry
        )
        self.shared = Counter(
            "controlplane_query_shared_results_total",
            "Parts of expressions that had been computed for another one.",
            registry=registry,
        )
        self.shared_bytes = Gauge(
            "controlplane_query_shared_bytes",
            "Size of the columns kept for other expressions.",
            registry=registry,
        )
