"""An alert as it travels from a rule, or a client, to a receiver."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.labels import EMPTY, Labels

# The name of the alert that a receiver, named by the label `receiver`, was not told something.
DEAD_LETTER: Final = "NotificationDeadLetter"

# The label of an alert that was made up to try the way of alerts: nothing is broken.
TEST_LABEL: Final = "controlplane_test"
# The name of a fire drill; its label `receiver`, if it has one, says whom it is for.
FIRE_DRILL: Final = "FireDrill"
# The name of the alert that a fire drill did not reach the one named by the label `receiver`.
FIRE_DRILL_FAILED: Final = "FireDrillFailed"
# The name of the alert that it is our own network that fails, not what we watch.
OWN_NETWORK_DOWN: Final = "OwnNetworkDown"


class AlertStatus(StrEnum):
    """What a receiver is told."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, named by its labels.

    It is resolved once `ends_at` has come. `updated_at` is when its source
    last spoke of it; `correlation_id` is that of the evaluation or request.
    `timeout` says that nobody named the end: it was assumed.
    """

    labels: Labels
    starts_at: Timestamp
    ends_at: Timestamp
    updated_at: Timestamp
    annotations: Labels = EMPTY
    generator_url: str = ""
    correlation_id: str = ""
    timeout: bool = False

    @property
    def name(self) -> str:
        return self.labels.value("alertname")

    @property
    def fingerprint(self) -> str:
        return self.labels.fingerprint()

    @property
    def is_test(self) -> bool:
        """Whether it was made up, so that it counts nowhere as something broken."""
        return self.labels.value(TEST_LABEL) == "true"

    def status(self, now: Timestamp) -> AlertStatus:
        """Return firing, or resolved from the very instant `ends_at`."""
        return AlertStatus.RESOLVED if self.ends_at <= now else AlertStatus.FIRING
