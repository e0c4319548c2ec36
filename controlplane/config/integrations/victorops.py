"""`victorops_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, MapOf, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.victorops.options import VictoropsConfig


def victorops_config(defaults: GlobalOptions, check: Check) -> Section[VictoropsConfig]:
    """Return the section of one entry of `victorops_configs`."""
    text = template(check)
    templates = ("message_type", "state_message", "entity_display_name", "monitoring_tool")
    return posting(
        "victorops_config",
        VictoropsConfig,
        defaults,
        {
            "api_key": Key(SECRET),
            "api_key_file": Key(SECRET_FILE, field="api_key"),
            "api_url": Key(URL),
            "routing_key": Key(text, required=True),
            **{name: Key(text) for name in templates},
            "custom_fields": Key(MapOf("a mapping of fields", text)),
        },
        inherits={"api_key": "victorops_api_key", "api_url": "victorops_api_url"},
    )
