"""`autoscaling` and `external_scaler`: policies, and where KEDA asks for what they say."""

from collections.abc import Mapping
from typing import Any, Final

from controlplane.autoscale.options import (
    Behavior,
    ExternalScalerOptions,
    Kind,
    MetricOptions,
    MetricTarget,
    Mode,
    Policy,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    TargetType,
    Threshold,
    WebhookOptions,
    WorkloadOptions,
)
from controlplane.config.http_client import HTTP_CLIENT
from controlplane.config.kinds import (
    BOOLEAN,
    DURATION,
    FRACTION,
    NATURAL,
    POSITIVE_DURATION,
    TEXT,
    member,
    text,
)
from controlplane.config.places import PATH, SECRET, SECRET_FILE, SECRET_URL
from controlplane.config.remote import OwnDatasource
from controlplane.config.schema import Key, Leaf, ListOf, Section, UniqueList
from controlplane.config.sent import read_sent
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.model.secret import Secret
from controlplane.promql.parser import parse
from controlplane.targets.validation import check_name


def _expression(node: Scalar) -> str:
    written = text(node)
    parse(written)
    return written


def _name(node: Scalar) -> str:
    written = text(node)
    check_name(written)
    return written


_EXPRESSION: Final = Leaf("a PromQL expression", _expression)
# As those of targets: they stand in paths and labels.
_NAME: Final = Leaf("a name", _name)
THRESHOLD: Final = Section(
    "scaling_threshold",
    Threshold,
    {
        "threshold": Key(FRACTION, required=True),
        "for": Key(DURATION, field="for_"),
        "step": Key(NATURAL),
    },
)
TARGET: Final = Section(
    "scaling_target",
    MetricTarget,
    {"type": Key(member(TargetType)), "value": Key(FRACTION, required=True)},
)
METRIC: Final = Section(
    "scaling_metric",
    MetricOptions,
    {
        "name": Key(_NAME, required=True),
        "query": Key(_EXPRESSION, required=True),
        "kind": Key(member(Kind)),
        "target": Key(TARGET),
        "up": Key(THRESHOLD),
        "down": Key(THRESHOLD),
        "shared": Key(BOOLEAN),
    },
)
SCALING_POLICY: Final = Section(
    "scaling_policy",
    ScalingPolicy,
    {
        "type": Key(member(PolicyType), required=True),
        "value": Key(NATURAL, required=True),
        "periodSeconds": Key(NATURAL, field="period_seconds", required=True),
    },
)
SCALING_RULES: Final = Section(
    "scaling_rules",
    ScalingRules,
    {
        "stabilizationWindowSeconds": Key(NATURAL, field="stabilization_window_seconds"),
        "policies": Key(ListOf("a list of scaling policies", SCALING_POLICY)),
        "selectPolicy": Key(member(SelectPolicy), field="select_policy"),
        "tolerance": Key(FRACTION),
    },
)
BEHAVIOR: Final = Section(
    "scaling_behavior",
    Behavior,
    {
        "scaleUp": Key(SCALING_RULES, field="scale_up"),
        "scaleDown": Key(SCALING_RULES, field="scale_down"),
    },
)
WORKLOAD: Final = Section(
    "scaling_workload",
    WorkloadOptions,
    {
        "kind": Key(TEXT),
        "name": Key(TEXT, required=True),
        "namespace": Key(TEXT),
        "api_version": Key(TEXT),
        "resource": Key(TEXT),
        "kubeconfig": Key(PATH),
        "context": Key(TEXT),
        "timeout": Key(POSITIVE_DURATION),
    },
)


def _webhook(*, url: Secret | None = None, **values: Any) -> WebhookOptions:
    if url is None:
        raise InvalidInput("one of url & url_file must be configured")
    return WebhookOptions(url=url, **values)


WEBHOOK: Final = Section(
    "scaling_webhook",
    _webhook,
    {
        "url": Key(SECRET_URL),
        "url_file": Key(SECRET_FILE, field="url"),
        "secret": Key(SECRET),
        "secret_file": Key(SECRET_FILE, field="secret"),
        "timeout": Key(POSITIVE_DURATION),
        "http_config": Key(HTTP_CLIENT),
    },
)
POLICY: Final = Section(
    "autoscaling",
    Policy,
    {
        "name": Key(_NAME, required=True),
        "mode": Key(member(Mode)),
        "workload": Key(WORKLOAD),
        "webhook": Key(WEBHOOK),
        "min_replicas": Key(NATURAL),
        "max_replicas": Key(NATURAL, required=True),
        "replicas": Key(_EXPRESSION),
        "ready": Key(_EXPRESSION),
        "interval": Key(POSITIVE_DURATION),
        "metrics": Key(ListOf("a list of metrics", METRIC), required=True),
        "behavior": Key(BEHAVIOR),
        "datasource": Key(OwnDatasource()),
    },
)


def policy_of(document: Mapping[str, Any]) -> Policy:
    """Return the policy that the API was sent. Raises InvalidFields."""
    return read_sent(POLICY, document)


AUTOSCALING: Final = UniqueList("a list of policies", POLICY, "name")
EXTERNAL_SCALER: Final = Section(
    "external_scaler",
    ExternalScalerOptions,
    {
        "listen": Key(TEXT),
        "cert_file": Key(PATH),
        "key_file": Key(PATH),
        "client_ca_file": Key(PATH),
    },
)
