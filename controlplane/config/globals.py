"""`global`: prometheus.yml's and alertmanager.yml's, whose keys do not overlap."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controlplane.clock import Duration
from controlplane.config.http_client import HTTP_CLIENT, TLS
from controlplane.config.kinds import (
    BOOLEAN,
    DURATION,
    LABELS,
    NATURAL,
    SIZE,
    TEXT,
    member,
)
from controlplane.config.places import SECRET, SECRET_FILE, SECRET_URL, SMARTHOST, URL
from controlplane.config.schema import Key, ListOf, Section
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.secret import Secret
from controlplane.notify.integrations.email.options import Smarthost
from controlplane.notify.integrations.opsgenie.options import OPSGENIE_API_URL
from controlplane.notify.integrations.pagerduty.options import PAGERDUTY_URL
from controlplane.notify.integrations.rocketchat.options import ROCKETCHAT_API_URL
from controlplane.notify.integrations.slack.options import SLACK_APP_URL
from controlplane.notify.integrations.telegram.options import TELEGRAM_API_URL
from controlplane.notify.integrations.victorops.options import VICTOROPS_API_URL
from controlplane.notify.integrations.webex.options import WEBEX_API_URL
from controlplane.notify.integrations.wechat.options import WECHAT_API_URL
from controlplane.scrape.options import DEFAULT_PROTOCOLS, ScrapeProtocol
from controlplane.settings.secret_files import FileSecret
from controlplane.transport.options import HTTPClientConfig, TLSConfig


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What the rest of the file falls back to. Limits of 0 mean none; sizes are bytes."""

    scrape_interval: Duration = MINUTE
    scrape_timeout: Duration = 10 * SECOND
    scrape_protocols: tuple[ScrapeProtocol, ...] = DEFAULT_PROTOCOLS
    evaluation_interval: Duration = MINUTE
    rule_query_offset: Duration = 0
    external_labels: Labels = EMPTY
    body_size_limit: int = 0
    sample_limit: int = 0
    target_limit: int = 0
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0
    keep_dropped_targets: int = 0
    extra_scrape_metrics: bool = False
    scrape_native_histograms: bool = False
    always_scrape_classic_histograms: bool = False
    convert_classic_histograms_to_nhcb: bool = False
    resolve_timeout: Duration = 5 * MINUTE
    http_config: HTTPClientConfig = field(default_factory=HTTPClientConfig)
    slack_api_url: Secret | None = None
    slack_app_token: Secret | None = None
    slack_app_url: str = SLACK_APP_URL
    slack_signing_secret: Secret | None = None
    pagerduty_url: str = PAGERDUTY_URL
    jira_api_url: str | None = None
    mattermost_webhook_url: Secret | None = None
    rocketchat_api_url: str = ROCKETCHAT_API_URL
    rocketchat_token: Secret | None = None
    rocketchat_token_id: Secret | None = None
    webex_api_url: str = WEBEX_API_URL
    wechat_api_url: str = WECHAT_API_URL
    wechat_api_secret: Secret | None = None
    wechat_api_corp_id: str = ""
    opsgenie_api_url: str = OPSGENIE_API_URL
    opsgenie_api_key: Secret | None = None
    victorops_api_url: str = VICTOROPS_API_URL
    victorops_api_key: Secret | None = None
    telegram_api_url: str = TELEGRAM_API_URL
    telegram_bot_token: Secret | None = None
    smtp_from: str = ""
    smtp_hello: str = "localhost"
    smtp_smarthost: Smarthost | None = None
    smtp_auth_username: str = ""
    smtp_auth_password: Secret | None = None
    smtp_auth_secret: Secret | None = None
    smtp_auth_identity: str = ""
    smtp_require_tls: bool = True
    smtp_tls_config: TLSConfig = field(default_factory=TLSConfig)
    smtp_force_implicit_tls: bool | None = None


_REFERENCE: Final = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\$))")
# What a scrape takes from here where it says nothing itself.
INHERITED_SWITCHES: Final = (
    "extra_scrape_metrics",
    "scrape_native_histograms",
    "always_scrape_classic_histograms",
    "convert_classic_histograms_to_nhcb",
)
# What it takes from here where its own is 0.
INHERITED_LIMITS: Final = (
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
)


def expand_variables(text: str, environ: Mapping[str, str]) -> str:
    """Return the text with `$NAME` and `${NAME}` filled in, `$$` a dollar sign.

    A variable that is not set is empty. This is Prometheus' rule for the
    values of external labels, and for nothing else in the file.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else match[2] or match[3]
        return "$" if name == "$" else environ.get(name, "")

    return _REFERENCE.sub(value, text)


def _global(**values: Any) -> GlobalOptions:
    # A zero is what a key that is not there would be.
    given = {name: value for name, value in values.items() if value != 0 or name not in _NONZERO}
    options = GlobalOptions(**given)
    if "scrape_timeout" not in given:
        shorter = min(options.scrape_timeout, options.scrape_interval)
        options = replace(options, scrape_timeout=shorter)
    if options.scrape_timeout > options.scrape_interval:
        raise InvalidInput(
            "scrape_timeout is greater than scrape_interval", pointer="/scrape_timeout"
        )
    check_protocols(options.scrape_protocols)
    _check_slack(options)
    expanded = {
        name: expand_variables(value, os.environ) for name, value in options.external_labels.items()
    }
    return replace(options, external_labels=Labels(expanded))


_NONZERO: Final = frozenset({"scrape_interval", "scrape_timeout", "evaluation_interval"})


def _check_slack(options: GlobalOptions) -> None:
    if options.slack_api_url is None or options.slack_app_token is None:
        return
    # Before there was slack_app_token, people gave Slack's method as the api_url.
    url = options.slack_api_url
    if isinstance(url, FileSecret) or url.reveal() != options.slack_app_url:
        raise InvalidInput(
            "at most one of slack_app_token/slack_app_token_file & "
            "slack_api_url/slack_api_url_file must be configured",
            pointer="/slack_app_token",
        )


def check_protocols(protocols: tuple[ScrapeProtocol, ...]) -> None:
    """Raise InvalidInput unless at least one protocol is named, and none twice."""
    if not protocols:
        raise InvalidInput("scrape_protocols cannot be empty", pointer="/scrape_protocols")
    if len(set(protocols)) < len(protocols):
        raise InvalidInput("scrape_protocols names one twice", pointer="/scrape_protocols")


# What only prometheus.yml has of the keys that are understood here.
PROMETHEUS_KEYS: Final = frozenset(
    (
        "scrape_interval",
        "scrape_timeout",
        "scrape_protocols",
        "evaluation_interval",
        "rule_query_offset",
        "external_labels",
        *INHERITED_SWITCHES,
        *INHERITED_LIMITS,
    )
)
_PROMETHEUS_ONLY: Final = (
    "query_log_file",
    "scrape_failure_log_file",
    "metric_name_validation_scheme",
    "metric_name_escaping_scheme",
)

GLOBAL: Final = Section(
    "global",
    _global,
    {
        "scrape_interval": Key(DURATION),
        "scrape_timeout": Key(DURATION),
        "scrape_protocols": Key(ListOf("a list of protocols", member(ScrapeProtocol))),
        "evaluation_interval": Key(DURATION),
        "rule_query_offset": Key(DURATION),
        "external_labels": Key(LABELS),
        "body_size_limit": Key(SIZE),
        "sample_limit": Key(NATURAL),
        "target_limit": Key(NATURAL),
        "label_limit": Key(NATURAL),
        "label_name_length_limit": Key(NATURAL),
        "label_value_length_limit": Key(NATURAL),
        "keep_dropped_targets": Key(NATURAL),
        **dict.fromkeys(INHERITED_SWITCHES, Key(BOOLEAN)),
        "resolve_timeout": Key(DURATION),
        "http_config": Key(HTTP_CLIENT),
        "slack_api_url": Key(SECRET_URL),
        "slack_api_url_file": Key(SECRET_FILE, field="slack_api_url"),
        "slack_app_token": Key(SECRET),
        "slack_app_token_file": Key(SECRET_FILE, field="slack_app_token"),
        "slack_app_url": Key(URL),
        "slack_signing_secret": Key(SECRET),
        "slack_signing_secret_file": Key(SECRET_FILE, field="slack_signing_secret"),
        "pagerduty_url": Key(URL),
        "jira_api_url": Key(URL),
        "mattermost_webhook_url": Key(SECRET_URL),
        "mattermost_webhook_url_file": Key(SECRET_FILE, field="mattermost_webhook_url"),
        "rocketchat_api_url": Key(URL),
        "rocketchat_token": Key(SECRET),
        "rocketchat_token_file": Key(SECRET_FILE, field="rocketchat_token"),
        "rocketchat_token_id": Key(SECRET),
        "rocketchat_token_id_file": Key(SECRET_FILE, field="rocketchat_token_id"),
        "webex_api_url": Key(URL),
        "wechat_api_url": Key(URL),
        "wechat_api_secret": Key(SECRET),
        "wechat_api_secret_file": Key(SECRET_FILE, field="wechat_api_secret"),
        "wechat_api_corp_id": Key(TEXT),
        "opsgenie_api_url": Key(URL),
        "opsgenie_api_key": Key(SECRET),
        "opsgenie_api_key_file": Key(SECRET_FILE, field="opsgenie_api_key"),
        "victorops_api_url": Key(URL),
        "victorops_api_key": Key(SECRET),
        "victorops_api_key_file": Key(SECRET_FILE, field="victorops_api_key"),
        "telegram_api_url": Key(URL),
        "telegram_bot_token": Key(SECRET),
        "telegram_bot_token_file": Key(SECRET_FILE, field="telegram_bot_token"),
        "smtp_from": Key(TEXT),
        "smtp_hello": Key(TEXT),
        "smtp_smarthost": Key(SMARTHOST),
        "smtp_auth_username": Key(TEXT),
        "smtp_auth_password": Key(SECRET),
        "smtp_auth_password_file": Key(SECRET_FILE, field="smtp_auth_password"),
        "smtp_auth_secret": Key(SECRET),
        "smtp_auth_secret_file": Key(SECRET_FILE, field="smtp_auth_secret"),
        "smtp_auth_identity": Key(TEXT),
        "smtp_require_tls": Key(BOOLEAN),
        "smtp_tls_config": Key(TLS),
        "smtp_force_implicit_tls": Key(BOOLEAN),
    },
    unsupported=dict.fromkeys(_PROMETHEUS_ONLY, "a Prometheus key"),
)
