"""`receivers` of alertmanager.yml, and how hard deliveries are tried.

The options of one kind of receiver stand with its integration.
"""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY, Labels
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.integrations.email.options import EmailConfig
from controlplane.notify.integrations.incidentio.options import IncidentioConfig
from controlplane.notify.integrations.jira.options import JiraConfig
from controlplane.notify.integrations.mattermost.options import MattermostConfig
from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig
from controlplane.notify.integrations.options import required
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.pushover.options import PushoverConfig
from controlplane.notify.integrations.rocketchat.options import RocketchatConfig
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.integrations.webex.options import WebexConfig
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.integrations.wechat.options import WechatConfig


@dataclass(frozen=True, slots=True)
class Receiver:
    """A name and everything that is told when an alert is routed to it.

    `labels` are what the Alertmanager API's filters find it by; `name` is always among them.
    """

    name: str
    slack_configs: tuple[SlackConfig, ...] = ()
    pagerduty_configs: tuple[PagerdutyConfig, ...] = ()
    webhook_configs: tuple[WebhookConfig, ...] = ()
    email_configs: tuple[EmailConfig, ...] = ()
    opsgenie_configs: tuple[OpsgenieConfig, ...] = ()
    victorops_configs: tuple[VictoropsConfig, ...] = ()
    pushover_configs: tuple[PushoverConfig, ...] = ()
    telegram_configs: tuple[TelegramConfig, ...] = ()
    discord_configs: tuple[DiscordConfig, ...] = ()
    msteams_configs: tuple[MSTeamsConfig, ...] = ()
    msteamsv2_configs: tuple[MSTeamsV2Config, ...] = ()
    webex_configs: tuple[WebexConfig, ...] = ()
    rocketchat_configs: tuple[RocketchatConfig, ...] = ()
    mattermost_configs: tuple[MattermostConfig, ...] = ()
    wechat_configs: tuple[WechatConfig, ...] = ()
    jira_configs: tuple[JiraConfig, ...] = ()
    incidentio_configs: tuple[IncidentioConfig, ...] = ()
    apprise_configs: tuple[AppriseConfig, ...] = ()
    labels: Labels = EMPTY

    def __post_init__(self) -> None:
        required(self, "name", "receiver")
        if self.labels.value("name") not in ("", self.name):
            raise InvalidInput(
                f"the label name must be that of the receiver, {self.name!r}", pointer="/labels"
            )

    @property
    def known_by(self) -> Labels:
        """The labels with the name."""
        return self.labels.merge({"name": self.name})


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
