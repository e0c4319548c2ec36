"""`msteams_configs` and `msteamsv2_configs` (Alertmanager 0.34)."""

from dataclasses import replace
from functools import partial
from typing import Any

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting
from controlplane.config.places import SECRET_FILE, SECRET_URL
from controlplane.config.schema import Key, Section
from controlplane.config.templates import Check, template
from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.transport.options import HTTPClientConfig


def msteams_config(defaults: GlobalOptions, check: Check) -> Section[MSTeamsConfig]:
    """Return the section of one entry of `msteams_configs`."""
    text = template(check)
    return posting(
        "msteams_config",
        MSTeamsConfig,
        defaults,
        {
            "webhook_url": Key(SECRET_URL, required=True),
            "webhook_url_file": Key(SECRET_FILE, field="webhook_url"),
            "title": Key(text),
            "summary": Key(text),
            "text": Key(text),
        },
    )


def msteamsv2_config(defaults: GlobalOptions, check: Check) -> Section[MSTeamsV2Config]:
    """Return the section of one entry of `msteamsv2_configs`."""
    text = template(check)
    return posting(
        "msteamsv2_config",
        partial(_msteamsv2, defaults.http_config),
        defaults,
        {
            "webhook_url": Key(SECRET_URL, required=True),
            "webhook_url_file": Key(SECRET_FILE, field="webhook_url"),
            "title": Key(text),
            "text": Key(text),
        },
    )


def _msteamsv2(
    shared: HTTPClientConfig, *, http_config: HTTPClientConfig, **values: Any
) -> MSTeamsV2Config:
    """Take the proxy of `global` where an own `http_config` names none, as Alertmanager does."""
    own = http_config.proxy
    if not own.proxy_url and not own.proxy_from_environment:
        proxy = replace(own, proxy_url=shared.proxy.proxy_url)
        http_config = replace(http_config, proxy=proxy)
    return MSTeamsV2Config(http_config=http_config, **values)
