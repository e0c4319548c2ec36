"""The alert that a rule raises on itself while it cannot tell, where its policy says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.rules.options import Texts
from controlplane.rules.state import WELL, Condition, Policies, Policy, Verdict

# The names of these alerts; they have the labels `rule` and `rule_group`.
NAMES: Final[Mapping[Condition, str]] = {
    Condition.ERROR: "RuleError",
    Condition.NO_DATA: "RuleNoData",
    Condition.LIMIT: "RuleLimitExceeded",
}


@dataclass(slots=True)
class Complaint:
    """One rule's. It has the rule's own labels, as far as they are no templates."""

    rule: str
    group: str
    labels: Texts
    policies: Policies
    told: Verdict = WELL
    last_sent_at: Timestamp = 0

    def due(
        self, verdict: Verdict, ts: Timestamp, resend_delay: Duration
    ) -> list[tuple[Verdict, bool]]:
        """Return what is to be sent at `ts`: which verdict, and whether it is over."""
        condition = verdict.condition
        raised = condition is not Condition.OK and self.policies.of(condition) is Policy.ALERT
        due: list[tuple[Verdict, bool]] = []
        if self.told.condition is not Condition.OK and not (
            raised and condition is self.told.condition
        ):
            due.append((self.told, True))
            self.told = WELL
        fresh = self.told.condition is Condition.OK
        again = self.last_sent_at + resend_delay < ts or self.last_sent_at > ts
        if raised and (fresh or again):
            due.append((verdict, False))
            self.told, self.last_sent_at = verdict, ts
        return due

    def alert(
        self,
        verdict: Verdict,
        ts: Timestamp,
        *,
        lasts: Duration,
        external_labels: Labels,
        generator_url: str,
        correlation_id: str,
    ) -> Alert:
        """Return the alert on the rule, which `lasts` so long unless it is told again."""
        own = {name: value for name, value in self.labels if "{{" not in value}
        named = {
            "alertname": NAMES[verdict.condition],
            "rule": self.rule,
            "rule_group": self.group,
        }
        summary = f"The rule {self.rule} of the group {self.group} cannot tell: {verdict.reason}"
        return Alert(
            labels=external_labels.merge(own | named),
            annotations=Labels({"summary": summary}),
            starts_at=min(verdict.since, ts),
            ends_at=ts + lasts,
            updated_at=ts,
            generator_url=generator_url,
            correlation_id=correlation_id,
        )
