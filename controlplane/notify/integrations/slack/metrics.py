"""What the buttons under Slack messages tell of themselves."""

from prometheus_client import CollectorRegistry, Counter


class SlackMetrics:
    """Counters of the interaction endpoint, registered in the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "controlplane_slack_interactions_total",
            "Requests to the interactivity URL and clicks in them, by what came of them.",
            ["outcome"],
            registry=registry,
        )
