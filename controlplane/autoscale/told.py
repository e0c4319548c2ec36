"""The alert that a policy has scaled something: whoever routes it is notified of each action."""

from typing import Final

from controlplane.autoscale.decision import Decision
from controlplane.autoscale.options import Policy
from controlplane.clock import Duration
from controlplane.model.alert import Alert
from controlplane.model.duration import MINUTE
from controlplane.model.labels import Labels

SCALED: Final = "AutoscalingScaled"
# Long enough for a group to be sent; an end of its own, for nothing is broken.
_LASTS: Final[Duration] = 5 * MINUTE


def told(policy: Policy, decision: Decision, external_url: str) -> Alert:
    """Return the alert of an action; each number of replicas is an alert of its own."""
    change = f"{decision.current} to {decision.desired}"
    labels = {
        "alertname": SCALED,
        "severity": "info",
        "policy": policy.name,
        "scales": policy.scales,
        "direction": decision.direction,
        "change": change,
    }
    reasons = [f"{each.metric}: {each.because}" for each in decision.verdicts]
    return Alert(
        Labels(labels),
        starts_at=decision.at,
        ends_at=decision.at + _LASTS,
        updated_at=decision.at,
        annotations=Labels(
            {
                "summary": f"{policy.scales} scaled from {change} replicas",
                "description": "; ".join([*reasons, *map(str, decision.steps)]),
            }
        ),
        generator_url=f"{external_url}/autoscaling/{policy.name}",
        correlation_id=decision.correlation_id,
    )
