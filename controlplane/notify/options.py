"""`receivers` of alertmanager.yml, and how hard deliveries are tried.

The options of one kind of receiver stand with its integration.
"""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.notify.integrations.email.options import EmailConfig
from controlplane.notify.integrations.options import required
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.webhook.options import WebhookConfig


@dataclass(frozen=True, slots=True)
class Receiver:
    """A name and everything that is told when an alert is routed to it."""

    name: str
    slack_configs: tuple[SlackConfig, ...] = ()
    pagerduty_configs: tuple[PagerdutyConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
    email_configs: tuple[EmailConfig, ...] = ()

    def __post_init__(self) -> None:
        required(self, "name", "receiver")


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How hard deliveries are tried, and how long their rows are kept."""

    timeout: Duration = 10_000  # of one attempt, where the integration names none
    concurrency: int = 4  # attempts at once to one receiver
    rate: float = 0.0  # attempts a second to one receiver's integration; 0: as they come
    burst: int = 10  # of these at once, after a quiet time
    max_age: Duration = 24 * 3_600_000  # after that a message is a dead letter
    max_attempts: int = 0  # 0: only its age counts
    first_backoff: Duration = 1_000
    longest_backoff: Duration = 300_000
    lease: Duration = 60_000  # a claim older than this may be taken over

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise InvalidInput("concurrency must be at least 1", pointer="/concurrency")
        if self.longest_backoff < self.first_backoff:
            raise InvalidInput(
                "longest_backoff is shorter than first_backoff", pointer="/longest_backoff"
            )
