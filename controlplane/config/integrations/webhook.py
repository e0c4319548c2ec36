"""`webhook_configs` (Alertmanager 0.34)."""

from typing import Any, Final

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting, secret_template
from controlplane.config.kinds import NATURAL, text
from controlplane.config.places import SECRET_FILE, show_inline, split_url
from controlplane.config.schema import Key, Leaf, Section
from controlplane.config.templates import Check, TemplateTree
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret
from controlplane.notify.integrations.webhook.options import WebhookConfig


def _template_url(node: Scalar) -> Secret:
    """Return a URL that may be a template; only one that is none can be looked at as a URL."""
    if "{{" not in node.text:
        split_url(node.text)
    return Secret(text(node))


_TEMPLATE_URL: Final = Leaf("a URL", _template_url, show_inline, blank=True)


def _webhook(*, url: Secret | None = None, **values: Any) -> WebhookConfig:
    if url is None:
        raise InvalidInput("one of url & url_file must be configured")
    return WebhookConfig(url, **values)


def webhook_config(defaults: GlobalOptions, check: Check) -> Section[WebhookConfig]:
    """Return the section of one entry of `webhook_configs`."""
    return posting(
        "webhook_config",
        _webhook,
        defaults,
        {
            "url": Key(secret_template(check, _TEMPLATE_URL)),
            "url_file": Key(SECRET_FILE, field="url"),
            "max_alerts": Key(NATURAL),
            "payload": Key(TemplateTree(check)),
        },
    )
