"""`telegram_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.kinds import BOOLEAN, INTEGER, TEXT
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.telegram.options import TelegramConfig


def telegram_config(defaults: GlobalOptions, check: Check) -> Section[TelegramConfig]:
    """Return the section of one entry of `telegram_configs`."""
    return posting(
        "telegram_config",
        TelegramConfig,
        defaults,
        {
            "api_url": Key(URL),
            "bot_token": Key(SECRET),
            "bot_token_file": Key(SECRET_FILE, field="bot_token"),
            "chat_id": Key(INTEGER),
            "chat_id_file": Key(SECRET_FILE),
            "message_thread_id": Key(INTEGER),
            "message": Key(template(check)),
            "disable_notifications": Key(BOOLEAN),
            "parse_mode": Key(TEXT),
        },
        inherits={"bot_token": "telegram_bot_token", "api_url": "telegram_api_url"},
    )
