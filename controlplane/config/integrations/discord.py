"""`discord_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import TEXT
from controlplane.config.places import SECRET_FILE, SECRET_URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.discord.options import DiscordConfig


def discord_config(defaults: GlobalOptions, check: Check) -> Section[DiscordConfig]:
    """Return the section of one entry of `discord_configs`."""
    text = template(check)
    return posting(
        "discord_config",
        DiscordConfig,
        defaults,
        {
            "webhook_url": Key(SECRET_URL, required=True),
            "webhook_url_file": Key(SECRET_FILE, field="webhook_url"),
            "content": Key(text),
            "title": Key(text),
            "message": Key(text),
            "username": Key(TEXT),
            "avatar_url": Key(TEXT),
        },
    )
