"""`receivers`: alertmanager.yml's list of whom to tell, and how (Alertmanager 0.34)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.apprise import apprise_config
from controlplane.config.integrations.discord import discord_config
from controlplane.config.integrations.email import email_config
from controlplane.config.integrations.incidentio import incidentio_config
from controlplane.config.integrations.jira import jira_config
from controlplane.config.integrations.mattermost import mattermost_config
from controlplane.config.integrations.msteams import msteams_config, msteamsv2_config
from controlplane.config.integrations.opsgenie import opsgenie_config
from controlplane.config.integrations.pagerduty import pagerduty_config
from controlplane.config.integrations.pushover import pushover_config
from controlplane.config.integrations.rocketchat import rocketchat_config
from controlplane.config.integrations.slack import slack_config
from controlplane.config.integrations.telegram import telegram_config
from controlplane.config.integrations.victorops import victorops_config
from controlplane.config.integrations.webex import webex_config
from controlplane.config.integrations.webhook import webhook_config
from controlplane.config.integrations.wechat import wechat_config
from controlplane.config.kinds import LABELS, TEXT
from controlplane.config.schema import Key, ListOf, Section, UniqueList
from controlplane.config.templates import Check
from controlplane.notify.options import Receiver

# The keys of a receiver, and the section of one entry of each.
INTEGRATIONS: Final[Mapping[str, Callable[[GlobalOptions, Check], Section[Any]]]] = {
    "slack_configs": slack_config,
    "pagerduty_configs": pagerduty_config,
    "webhook_configs": webhook_config,
    "email_configs": email_config,
    "opsgenie_configs": opsgenie_config,
    "victorops_configs": victorops_config,
    "pushover_configs": pushover_config,
    "telegram_configs": telegram_config,
    "discord_configs": discord_config,
    "msteams_configs": msteams_config,
    "msteamsv2_configs": msteamsv2_config,
    "webex_configs": webex_config,
    "rocketchat_configs": rocketchat_config,
    "mattermost_configs": mattermost_config,
    "wechat_configs": wechat_config,
    "jira_configs": jira_config,
    "incidentio_configs": incidentio_config,
    "apprise_configs": apprise_config,
}
# What receivers of Alertmanager can have besides.
_UNSUPPORTED: Final = {
    "sns_configs": "an Alertmanager key (apprise_configs reach Amazon SNS)",
}


def receiver(defaults: GlobalOptions, check: Check) -> Section[Receiver]:
    """Return the section of one receiver under a file's `global` and `templates`."""
    lists = {
        key: Key(ListOf(f"a list of {key.replace('_', ' ')}", section(defaults, check)))
        for key, section in INTEGRATIONS.items()
    }
    return Section(
        "receiver",
        Receiver,
        {"name": Key(TEXT, required=True), "labels": Key(LABELS), **lists},
        unsupported=_UNSUPPORTED,
    )


def receivers(defaults: GlobalOptions, check: Check) -> UniqueList[Receiver]:
    """Return the list of receivers; their names are unique."""
    return UniqueList("a list of receivers", receiver(defaults, check), "name")
