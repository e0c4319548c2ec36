"""From a receiver's options to its integrations: one line for each kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from controlplane.notify.integrations.apprise.client import Apprise
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.discord.client import Discord
from controlplane.notify.integrations.email.options import EmailConfig
from controlplane.notify.integrations.incidentio.client import Incidentio
from controlplane.notify.integrations.jira.client import Jira
from controlplane.notify.integrations.mattermost.client import Mattermost
from controlplane.notify.integrations.msteams.client import MSTeams
from controlplane.notify.integrations.msteamsv2.client import MSTeamsV2
from controlplane.notify.integrations.opsgenie.client import Opsgenie
from controlplane.notify.integrations.pagerduty.client import PagerDuty
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.posting import Posting
from controlplane.notify.integrations.pushover.client import Pushover
from controlplane.notify.integrations.rocketchat.client import Rocketchat
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.slack.webhook import SlackWebhook
from controlplane.notify.integrations.telegram.client import Telegram
from controlplane.notify.integrations.victorops.client import Victorops
from controlplane.notify.integrations.webex.client import Webex
from controlplane.notify.integrations.webhook.client import Webhook
from controlplane.notify.integrations.wechat.client import Wechat
from controlplane.notify.options import Receiver
from controlplane.notify.picture import Picture, no_picture
from controlplane.notify.ports import Dial, Guard, Integration
from controlplane.notify.rendering import Templates
from controlplane.notify.silenced import SilencedBy
from controlplane.transport.options import HTTPClientConfig

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What integrations are built with: templates, and HTTP by the outbound policy.

    `http_client` serves all but three: `connector` is for slack-sdk, which speaks
    aiohttp, `dial` for mail, `guard` for Apprise, which opens sockets of its own.
    `silenced_by` and `picture` are for those that show who took an alert on, and
    what it looks like.
    """

    templates: Templates
    http_client: Callable[[HTTPClientConfig], httpx.AsyncClient]
    connector: "Callable[[], aiohttp.BaseConnector]"
    dial: Dial
    guard: Guard
    silenced_by: SilencedBy = lambda _labels: ()
    picture: Picture = no_picture


Build = Callable[[str, Any, Surroundings], Integration]


def _slack(name: str, config: SlackConfig, around: Surroundings) -> Integration:
    if config.api_url is not None and not config.is_bot:
        client = around.http_client(config.http_config)
        return SlackWebhook(name, config, config.api_url, around.templates, client)
    return _slack_bot(name, config, around)


def _slack_bot(name: str, config: SlackConfig, around: Surroundings) -> Integration:
    # Half a second of imports, for bots alone: slack-sdk and aiohttp below it.
    from controlplane.notify.integrations.slack.bot import SlackBot  # noqa: PLC0415 - as said
    from controlplane.notify.integrations.slack.web_api import WebAPI  # noqa: PLC0415 - as said

    app_url = config.app_url if config.api_url is None else config.api_url.reveal()
    authorization = config.http_config.authorization
    token = config.app_token or (authorization.credentials if authorization else None)
    if token is None:
        raise AssertionError("SlackConfig refuses a bot without a token")
    api = WebAPI(config.http_config, around.connector, token=token, app_url=app_url)
    return SlackBot(
        name,
        config,
        around.templates,
        api,
        silenced_by=around.silenced_by,
        picture=around.picture,
    )


def _pagerduty(name: str, config: PagerdutyConfig, around: Surroundings) -> Integration:
    client = around.http_client(config.http_config)
    return PagerDuty(name, config, around.templates, client, silenced_by=around.silenced_by)


def _posting(kind: type[Posting[Any]]) -> Build:
    """Return how one is built that needs nothing but a client of its own."""

    def build(name: str, config: Any, around: Surroundings) -> Integration:
        return kind(name, config, around.templates, around.http_client(config.http_config))

    return build


def _email(name: str, config: EmailConfig, around: Surroundings) -> Integration:
    # Imports for those who send mail alone.
    from controlplane.notify.integrations.email.client import Email  # noqa: PLC0415 - as said

    return Email(name, config, around.templates, around.dial, around.picture)


def _apprise(name: str, config: AppriseConfig, around: Surroundings) -> Integration:
    return Apprise(name, config, around.templates, around.guard)


# The key of alertmanager.yml, the name in metrics and logs, and how one is built.
INTEGRATIONS: Final[Sequence[tuple[str, str, Build]]] = (
    ("slack_configs", "slack", _slack),
    ("pagerduty_configs", "pagerduty", _pagerduty),
    ("webhook_configs", "webhook", _posting(Webhook)),
    ("email_configs", "email", _email),
    ("opsgenie_configs", "opsgenie", _posting(Opsgenie)),
    ("victorops_configs", "victorops", _posting(Victorops)),
    ("pushover_configs", "pushover", _posting(Pushover)),
    ("telegram_configs", "telegram", _posting(Telegram)),
    ("discord_configs", "discord", _posting(Discord)),
    ("msteams_configs", "msteams", _posting(MSTeams)),
    ("msteamsv2_configs", "msteamsv2", _posting(MSTeamsV2)),
    ("webex_configs", "webex", _posting(Webex)),
    ("rocketchat_configs", "rocketchat", _posting(Rocketchat)),
    ("mattermost_configs", "mattermost", _posting(Mattermost)),
    ("wechat_configs", "wechat", _posting(Wechat)),
    ("jira_configs", "jira", _posting(Jira)),
    ("incidentio_configs", "incidentio", _posting(Incidentio)),
    ("apprise_configs", "apprise", _apprise),
)


def build_integrations(
    receivers: Iterable[Receiver], around: Surroundings
) -> Mapping[str, Sequence[Integration]]:
    """Return the integrations of each receiver, named `slack/0`, `slack/1`, `webhook/0`."""
    return {
        receiver.name: [
            build(f"{kind}/{place}", config, around)
            for key, kind, build in INTEGRATIONS
            for place, config in enumerate(getattr(receiver, key))
        ]
        for receiver in receivers
    }
