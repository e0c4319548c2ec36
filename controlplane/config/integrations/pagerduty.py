"""`pagerduty_configs` (Alertmanager 0.34)."""

from typing import Any

from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.keys import posting, secret_template
from controlplane.config.kinds import BOOLEAN
from controlplane.config.places import SECRET, SECRET_FILE, URL
from controlplane.config.schema import Key, Leaf, ListOf, MapOf, Section
from controlplane.config.templates import Check, TemplateTree, template
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.notify.integrations.pagerduty.options import (
    PagerdutyConfig,
    PagerdutyImage,
    PagerdutyLink,
)


def _pagerduty_image(text: Leaf[str]) -> Section[PagerdutyImage]:
    keys = {"src": Key(text, required=True), "alt": Key(text), "href": Key(text)}
    return Section("pagerduty_image", PagerdutyImage, keys)


def _pagerduty_link(text: Leaf[str]) -> Section[PagerdutyLink]:
    keys = {"href": Key(text, required=True), "text": Key(text)}
    return Section("pagerduty_link", PagerdutyLink, keys)


def _pagerduty(*, routing_key: Secret | None = None, **values: Any) -> PagerdutyConfig:
    if routing_key is None:
        raise InvalidInput("missing routing_key or routing_key_file in PagerDuty config")
    return PagerdutyConfig(routing_key, **values)


def pagerduty_config(defaults: GlobalOptions, check: Check) -> Section[PagerdutyConfig]:
    """Return the section of one entry of `pagerduty_configs`."""
    text = template(check)
    templates = ("client", "client_url", "description", "source", "severity", "component", "group")
    return posting(
        "pagerduty_config",
        _pagerduty,
        defaults,
        {
            "routing_key": Key(secret_template(check, SECRET)),
            "routing_key_file": Key(SECRET_FILE, field="routing_key"),
            "url": Key(URL),
            **{name: Key(text) for name in templates},
            "class": Key(text, field="class_"),
            "details": Key(MapOf("a mapping of details", TemplateTree(check), check)),
            "images": Key(ListOf("a list of images", _pagerduty_image(text))),
            "links": Key(ListOf("a list of links", _pagerduty_link(text))),
            "change_events": Key(BOOLEAN),
        },
        inherits={"url": "pagerduty_url"},
        unsupported=dict.fromkeys(
            ("service_key", "service_key_file"), "an Alertmanager key (Events API v1)"
        ),
    )
