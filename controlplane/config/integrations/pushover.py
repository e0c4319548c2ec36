"""`pushover_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting, secret_template
from controlplane.config.kinds import BOOLEAN, GO_DURATION
from controlplane.config.places import SECRET, SECRET_FILE
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.pushover.options import PushoverConfig


def pushover_config(defaults: GlobalOptions, check: Check) -> Section[PushoverConfig]:
    """Return the section of one entry of `pushover_configs`."""
    text, secret = template(check), secret_template(check, SECRET)
    templates = ("title", "message", "url", "url_title", "device", "sound", "priority")
    return posting(
        "pushover_config",
        PushoverConfig,
        defaults,
        {
            "user_key": Key(secret, required=True),
            "user_key_file": Key(SECRET_FILE, field="user_key"),
            "token": Key(secret, required=True),
            "token_file": Key(SECRET_FILE, field="token"),
            **{name: Key(text) for name in templates},
            "retry": Key(GO_DURATION),
            "expire": Key(GO_DURATION),
            "ttl": Key(GO_DURATION),
            "html": Key(BOOLEAN),
            "monospace": Key(BOOLEAN),
        },
    )
