"""`mattermost_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import BOOLEAN
from controlplane.config.places import SECRET_FILE, SECRET_URL
from controlplane.config.schema import Key, Leaf, ListOf, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.mattermost.options import (
    ATTACHMENT_TEXTS,
    MattermostAttachment,
    MattermostConfig,
    MattermostField,
    MattermostPriority,
    MattermostProps,
)


def _shown(text: Leaf[str]) -> dict[str, Key]:
    field = Section(
        "mattermost_field",
        MattermostField,
        {
            "title": Key(text, required=True),
            "value": Key(text, required=True),
            "short": Key(BOOLEAN),
        },
    )
    return {
        **{name: Key(text) for name in ATTACHMENT_TEXTS},
        "fields": Key(ListOf("a list of fields", field)),
    }


def _priority(text: Leaf[str]) -> Section[MattermostPriority]:
    return Section(
        "mattermost_priority",
        MattermostPriority,
        {
            "priority": Key(text),
            "requested_ack": Key(BOOLEAN),
            "persistent_notifications": Key(BOOLEAN),
        },
    )


def mattermost_config(defaults: GlobalOptions, check: Check) -> Section[MattermostConfig]:
    """Return the section of one entry of `mattermost_configs`."""
    text = template(check)
    attachment = Section("mattermost_attachment", MattermostAttachment, _shown(text))
    props = Section("mattermost_props", MattermostProps, {"card": Key(text)})
    return posting(
        "mattermost_config",
        MattermostConfig,
        defaults,
        {
            "webhook_url": Key(SECRET_URL),
            "webhook_url_file": Key(SECRET_FILE, field="webhook_url"),
            "channel": Key(text),
            "username": Key(text),
            **_shown(text),
            "icon_url": Key(text),
            "icon_emoji": Key(text),
            "attachments": Key(ListOf("a list of attachments", attachment)),
            "type": Key(text),
            "props": Key(props),
            "priority": Key(_priority(text)),
        },
        inherits={"webhook_url": "mattermost_webhook_url"},
    )
