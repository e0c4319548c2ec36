"""What a key is when it is not given, as the documentation writes it."""

from typing import Any, Final

from controlplane.auth.limits import AnonymousLimits, TokenLimits
from controlplane.autoscale.options import (
    ExternalScalerOptions,
    MetricOptions,
    MetricTarget,
    Policy,
    ScalingRules,
    Threshold,
    WebhookOptions,
    WorkloadOptions,
)
from controlplane.cluster.options import ClusterOptions
from controlplane.config.document import every_section
from controlplane.config.globals import GlobalOptions
from controlplane.config.integrations.email import INHERITED
from controlplane.config.receivers import INTEGRATIONS
from controlplane.config.stores import OutboundOptions
from controlplane.model.duration import format_duration
from controlplane.model.relabel import RelabelConfig
from controlplane.model.secret import Secret
from controlplane.model.target import TargetSpec
from controlplane.model.time_interval import TimeInterval
from controlplane.mute.options import SilenceOptions, StormOptions
from controlplane.notify.check_in import CheckInOptions
from controlplane.notify.drill import DrillOptions
from controlplane.notify.integrations.apprise.options import AppriseConfig
from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.integrations.email.options import EmailConfig, Smarthost, Threading
from controlplane.notify.integrations.incidentio.options import IncidentioConfig
from controlplane.notify.integrations.jira.options import JiraConfig, JiraText
from controlplane.notify.integrations.mattermost.options import (
    MattermostAttachment,
    MattermostConfig,
    MattermostPriority,
    MattermostProps,
)
from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.pushover.options import PushoverConfig
from controlplane.notify.integrations.rocketchat.options import (
    RocketchatAction,
    RocketchatConfig,
    RocketchatField,
)
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.integrations.webex.options import WebexConfig
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.integrations.wechat.options import WechatConfig
from controlplane.notify.options import DeliveryOptions
from controlplane.probes.options import HeaderMatch, HTTPProbe, Module, QueryResponse, TCPProbe
from controlplane.routing.options import Route
from controlplane.scrape.options import FileSdConfig, ScrapeConfig
from controlplane.settings import parsing
from controlplane.settings.settings import Settings, Variable
from controlplane.storage.options import RetentionOptions, StorageOptions
from controlplane.targets.options import TargetOptions
from controlplane.transport.options import Authorization, HTTPClientConfig, ProxyConfig, TLSConfig
from controlplane.tsdb.remote.options import (
    Datasource,
    MetadataOptions,
    QueueOptions,
    RemoteWrite,
    RemoteWriteSettings,
)
from controlplane.uptime.maintenance import Maintenance
from controlplane.uptime.options import PageGroup, StatusPage

REQUIRED: Final = "required"
_SECRET: Final = Secret("x")
_AUTHORIZED: Final = HTTPClientConfig(authorization=Authorization())

# A value of each section that has defaults, made of nothing but them.
_BARE: Final[dict[str, Any]] = {
    "global": GlobalOptions(),
    "module": Module("http"),
    "http_probe": HTTPProbe(),
    "tcp_probe": TCPProbe(),
    "http_header_match": HeaderMatch("x", "x"),
    "query_response": QueryResponse(),
    "target": TargetSpec("x"),
    "target_settings": TargetOptions(),
    "notification_settings": DeliveryOptions(),
    "silence_settings": SilenceOptions(),
    "storm_settings": StormOptions(),
    "email_config": EmailConfig("x", "x", Smarthost("x", 25)),
    "email_threading": Threading(),
    "time_interval": TimeInterval(),
    "scrape_config": ScrapeConfig("x"),
    "file_sd_config": FileSdConfig(("x",)),
    "relabel_config": RelabelConfig(target_label="x"),
    "route": Route(),
    "slack_config": SlackConfig(api_url=_SECRET),
    "pagerduty_config": PagerdutyConfig(_SECRET),
    "webhook_config": WebhookConfig(_SECRET),
    "discord_config": DiscordConfig(_SECRET),
    "msteams_config": MSTeamsConfig(_SECRET),
    "msteamsv2_config": MSTeamsV2Config(_SECRET),
    "webex_config": WebexConfig("x", _AUTHORIZED),
    "rocketchat_config": RocketchatConfig(_SECRET, _SECRET),
    "rocketchat_field": RocketchatField(),
    "rocketchat_action": RocketchatAction(),
    "mattermost_config": MattermostConfig(_SECRET),
    "mattermost_attachment": MattermostAttachment(),
    "mattermost_props": MattermostProps(),
    "mattermost_priority": MattermostPriority(),
    "wechat_config": WechatConfig("x", _SECRET),
    "jira_config": JiraConfig("http://x", "x", "x"),
    "jira_field": JiraText(),
    "incidentio_config": IncidentioConfig(_SECRET, alert_source_token=_SECRET),
    "apprise_config": AppriseConfig(_SECRET),
    "drill": DrillOptions("x", receiver="x", interval=3_600_000),
    "check_in": CheckInOptions("x", _SECRET),
    "autoscaling": Policy("x", 1, (MetricOptions("x", "x", target=MetricTarget(1)),)),
    "scaling_target": MetricTarget(1),
    "scaling_threshold": Threshold(1),
    "scaling_rules": ScalingRules(),
    "scaling_workload": WorkloadOptions("x"),
    "scaling_webhook": WebhookOptions(_SECRET),
    "external_scaler": ExternalScalerOptions(),
    "opsgenie_config": OpsgenieConfig(_SECRET),
    "victorops_config": VictoropsConfig(_SECRET, "x"),
    "pushover_config": PushoverConfig(_SECRET, _SECRET),
    "telegram_config": TelegramConfig(_SECRET, chat_id_file=_SECRET),
    "status_page": StatusPage("x"),
    "status_page_group": PageGroup("x", ((),)),
    "planned_maintenance": Maintenance("x", ((),), ends_at=1),
    "limits_anonymous": AnonymousLimits(),
    "limits_token": TokenLimits(),
    "storage": StorageOptions(),
    "storage_retention": RetentionOptions(),
    "cluster": ClusterOptions(),
    "outbound": OutboundOptions(),
    "remote_write": RemoteWrite("http://x"),
    "queue_config": QueueOptions(),
    "metadata_config": MetadataOptions(),
    "remote_write_settings": RemoteWriteSettings(),
    "datasource": Datasource("http://x"),
    "http_config": HTTPClientConfig(),
    "proxy_config": ProxyConfig(),
    "authorization": Authorization(),
    "tls_config": TLSConfig(),
}
# Given to make the bare values above, or documented as inherited.
_NOT_DEFAULTS: Final = {
    "target": {"name"},
    "scrape_config": {"job_name"},
    "file_sd_config": {"files"},
    "relabel_config": {"target_label"},
    "http_header_match": {"header", "regexp"},
    "slack_config": {"api_url", "http_config", "app_url"},
    "pagerduty_config": {"routing_key", "http_config", "url"},
    "webhook_config": {"url", "http_config"},
    "incidentio_config": {"alert_source_token"},
    "email_config": {"to"},
    "drill": {"name", "receiver", "interval"},
    "check_in": {"name", "url"},
    "planned_maintenance": {"ends_at"},
    "scaling_webhook": {"url"},
}
# Defaults that other keys of the file decide.
_FROM_GLOBAL: Final = {
    ("scrape_config", name): "of `global`"
    for name in (
        "scrape_interval",
        "scrape_timeout",
        "scrape_protocols",
        "extra_scrape_metrics",
        "scrape_native_histograms",
        "always_scrape_classic_histograms",
        "convert_classic_histograms_to_nhcb",
        "body_size_limit",
        "sample_limit",
        "label_limit",
        "label_name_length_limit",
        "label_value_length_limit",
        "target_limit",
        "keep_dropped_targets",
    )
} | {
    ("slack_config", "api_url"): "of `global`",
    ("slack_config", "app_token"): "of `global`",
    ("slack_config", "app_url"): "of `global`",
    ("slack_config", "signing_secret"): "of `global`",
    ("pagerduty_config", "url"): "of `global`",
    ("jira_config", "api_url"): "of `global`",
    ("mattermost_config", "webhook_url"): "of `global`",
    ("webex_config", "api_url"): "of `global`",
    **{("rocketchat_config", name): "of `global`" for name in ("api_url", "token", "token_id")},
    **{("wechat_config", name): "of `global`" for name in ("api_url", "api_secret", "corp_id")},
    ("opsgenie_config", "api_key"): "of `global`",
    ("opsgenie_config", "api_url"): "of `global`",
    ("victorops_config", "api_key"): "of `global`",
    ("victorops_config", "api_url"): "of `global`",
    ("telegram_config", "bot_token"): "of `global`",
    ("telegram_config", "api_url"): "of `global`",
    **{("email_config", name): "of `global`" for name in ("from", *INHERITED)},
    ("target", "interval"): "`scrape_interval` of `global`",
}


def default_of(section: str, key: str) -> str:
    """Return the default as Markdown: a value in backticks, `required`, or nothing."""
    if (section, key) in _FROM_GLOBAL:
        return _FROM_GLOBAL[section, key]
    if key == "http_config" and f"{section}s" in INTEGRATIONS:
        return "of `global`"
    if every_section()[section].keys[key].required:
        return REQUIRED
    bare = _BARE.get(section)
    if bare is None or key in _NOT_DEFAULTS.get(section, ()):
        return ""
    shown = every_section()[section].show(bare).get(key)
    return "" if shown is None or isinstance(shown, dict) else f"`{_text(shown)}`"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)


# Defaults that are not what a field holds at first, in the documentation's words.
_OF_THE_PROCESS: Final = {
    "CONTROLPLANE_EXTERNAL_URL": "`http://` and the address listened on",
    "CONTROLPLANE_REPLICA": "the host's name",
    "CONTROLPLANE_ROLE": "all",
}


def default_of_variable(variable: Variable) -> str:
    """Return the default of a variable of the environment as Markdown."""
    if variable.name in _OF_THE_PROCESS:
        return _OF_THE_PROCESS[variable.name]
    held = getattr(Settings(), variable.field)
    if held is None or held in ("", ()):
        return ""
    durations = (parsing.duration, parsing.duration_or_zero)
    return f"`{format_duration(held) if variable.parse in durations else _text(held)}`"
