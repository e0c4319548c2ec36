"""`opsgenie_configs` (Alertmanager 0.34)."""

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting, secret_template
from controlplane.config.kinds import BOOLEAN
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, ListOf, MapOf, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig, OpsgenieResponder


def opsgenie_config(defaults: GlobalOptions, check: Check) -> Section[OpsgenieConfig]:
    """Return the section of one entry of `opsgenie_configs`."""
    text = template(check)
    templates = ("entity", "actions", "tags", "note", "priority")
    return posting(
        "opsgenie_config",
        OpsgenieConfig,
        defaults,
        {
            "api_key": Key(secret_template(check, SECRET)),
            "api_key_file": Key(SECRET_FILE, field="api_key"),
            "api_url": Key(URL),
            "message": Key(text),
            "description": Key(text),
            "source": Key(text),
            "details": Key(MapOf("a mapping of details", text)),
            "responders": Key(ListOf("a list of responders", _responder(check))),
            **{name: Key(text) for name in templates},
            "update_alerts": Key(BOOLEAN),
        },
        inherits={"api_key": "opsgenie_api_key", "api_url": "opsgenie_api_url"},
    )


def _responder(check: Check) -> Section[OpsgenieResponder]:
    text = template(check)
    return Section(
        "opsgenie_responder",
        OpsgenieResponder,
        {
            "type": Key(text, required=True),
            "id": Key(text),
            "name": Key(text),
            "username": Key(text),
        },
    )
