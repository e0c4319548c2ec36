"""The configuration in force as YAML, defaults filled in, secrets struck out."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from controlplane.config.config import Config
from controlplane.config.document import Context, document
from controlplane.config.globals import PROMETHEUS_KEYS
from controlplane.config.receivers import INTEGRATIONS
from controlplane.notify.integrations.rocketchat.options import ROCKETCHAT_API_URL

_ALERTING: Final = (
    "route",
    "receivers",
    "inhibit_rules",
    "time_intervals",
    "mute_time_intervals",
    "templates",
)
# Keys that older programs refuse: left out where they say what is so without them.
_YOUNGER: Final[Mapping[str, object]] = {
    "app_url": "https://slack.com/api/chat.postMessage",
    "slack_app_url": "https://slack.com/api/chat.postMessage",
    "smtp_tls_config": {"insecure_skip_verify": False},
    "proxy_from_environment": False,
    "timeout": "0s",
    "update_message": False,
    "rocketchat_api_url": ROCKETCHAT_API_URL,
    "threading": {"enabled": False},
    "message_thread_id": 0,
    "ttl": "0s",
    "monospace": False,
}
# Which of Alertmanager's integrations have no `timeout` there.
_NEVER_LIMITED: Final = frozenset(INTEGRATIONS) - {
    "slack_configs",
    "pagerduty_configs",
    "webhook_configs",
    "incidentio_configs",
}
# Keys that no Alertmanager has: what reads its files would refuse them.
_OURS: Final = frozenset(
    {
        "apprise_configs",
        "change_events",
        "signing_secret",
        "signing_secret_file",
        "slack_signing_secret",
        "slack_signing_secret_file",
    }
)


def render(config: Config) -> str:
    """Return YAML that says what `config` holds. A secret is `<secret>`, a `*_file` its path."""
    return _yaml(document(Context()).show(config))


def render_alerting(config: Config) -> str:
    """Return the part that alertmanager.yml holds too, for programs that read such a file."""
    plain: dict[str, Any] = document(Context()).show(config)
    shared = {key: held for key, held in plain["global"].items() if key not in PROMETHEUS_KEYS}
    sections = {key: plain[key] for key in _ALERTING if key in plain}
    return _yaml(_for_older({"global": shared, **sections}))


def _for_older(held: Any) -> Any:
    if isinstance(held, list):
        return [_for_older(item) for item in held]
    if not isinstance(held, dict):
        return held
    kept = {
        key: _for_older(item)
        for key, item in held.items()
        if _YOUNGER.get(key, held) != item and key not in _OURS
    }
    for webhook in kept.get("webhook_configs", ()):
        # They check its scheme, and know of no secret there.
        if webhook.get("url") == "<secret>":
            webhook["url"] = "http://<secret>"
    for name in _NEVER_LIMITED & kept.keys():
        for integration in kept[name]:
            integration.pop("timeout", None)
    return kept


def _yaml(plain: object) -> str:
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True
