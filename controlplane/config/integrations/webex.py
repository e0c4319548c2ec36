"""`webex_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.places import URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.webex.options import WebexConfig


def webex_config(defaults: GlobalOptions, check: Check) -> Section[WebexConfig]:
    """Return the section of one entry of `webex_configs`."""
    text = template(check)
    return posting(
        "webex_config",
        WebexConfig,
        defaults,
        {"api_url": Key(URL), "message": Key(text), "room_id": Key(text, required=True)},
        inherits={"api_url": "webex_api_url"},
    )
