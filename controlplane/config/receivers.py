"""`receivers`: alertmanager.yml's list of whom to tell, and how (Alertmanager 0.34)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.email import email_config
from controlplane.config.integrations.pagerduty import pagerduty_config
from controlplane.config.integrations.slack import slack_config
from controlplane.config.integrations.webhook import webhook_config
from controlplane.config.kinds import TEXT
from controlplane.config.schema import Key, ListOf, Section, UniqueList
from controlplane.config.templates import Check
from controlplane.notify.options import Receiver

# The keys of a receiver, and the section of one entry of each.
INTEGRATIONS: Final[Mapping[str, Callable[[GlobalOptions, Check], Section[Any]]]] = {
    "slack_configs": slack_config,
    "pagerduty_configs": pagerduty_config,
    "webhook_configs": webhook_config,
    "email_configs": email_config,
}
# What receivers of Alertmanager can have besides.
_UNSUPPORTED: Final = (
    "labels",
    "discord_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pushover_configs",
    "rocketchat_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
)


def receiver(defaults: GlobalOptions, check: Check) -> Section[Receiver]:
    """Return the section of one receiver under a file's `global` and `templates`."""
    lists = {
        key: Key(ListOf(f"a list of {key.replace('_', ' ')}", section(defaults, check)))
        for key, section in INTEGRATIONS.items()
    }
    return Section(
        "receiver",
        Receiver,
        {"name": Key(TEXT, required=True), **lists},
        unsupported=dict.fromkeys(_UNSUPPORTED, "an Alertmanager key"),
    )


def receivers(defaults: GlobalOptions, check: Check) -> UniqueList[Receiver]:
    """Return the list of receivers; their names are unique."""
    return UniqueList("a list of receivers", receiver(defaults, check), "name")
