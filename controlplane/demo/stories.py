"""What the demo has to show: three failures, each from pending to resolved at both receivers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """The steps of a story, in the order in which they are shown."""

    PENDING = "pending"
    FIRING = "firing"
    SLACK_TOLD = "told to Slack"
    PAGERDUTY_TOLD = "told to PagerDuty"
    SLACK_RESOLVED = "resolved in Slack"
    PAGERDUTY_RESOLVED = "resolved in PagerDuty"


@dataclass(slots=True)
class Story:
    """One failure of one service, known by its alert."""

    title: str
    alertname: str
    service: str
    seen: dict[Step, float] = field(default_factory=dict)

    def note(self, step: Step, at: float) -> bool:
        """Remember when a step was first seen (seconds since the start); tell if it is new."""
        # A message of resolution counts only once the firing one was there.
        told = {
            Step.SLACK_RESOLVED: Step.SLACK_TOLD,
            Step.PAGERDUTY_RESOLVED: Step.PAGERDUTY_TOLD,
        }.get(step)
        if step in self.seen or (told is not None and told not in self.seen):
            return False
        self.seen[step] = at
        return True

    @property
    def missing(self) -> list[Step]:
        """The steps not seen yet."""
        return [step for step in Step if step not in self.seen]

    @property
    def complete(self) -> bool:
        return not self.missing


FAILING: Final = "payments"
SILENT: Final = "search"
HEALTHY: Final = "checkout"


def demo_stories() -> list[Story]:
    """Return the three stories, with nothing seen yet."""
    return [
        Story("errors", "ServiceErrorRateHigh", FAILING),
        Story("latency", "ServiceLatencyHigh", FAILING),
        Story("silence", "ProbeDown", SILENT),
    ]
