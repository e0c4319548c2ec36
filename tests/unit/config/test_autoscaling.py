"""`autoscaling` and `external_scaler` of the file."""

from pathlib import Path

import pytest
import yaml

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
    WorkloadOptions,
)
from controlplane.config.config import Config
from controlplane.config.loader import load
from controlplane.config.render import render
from controlplane.errors import ConfigError

_WHOLE = """
autoscaling:
  - name: shop
    mode: act
    workload: {name: shop, namespace: prod}
    min_replicas: 2
    max_replicas: 20
    interval: 30s
    metrics:
      - {name: queue, query: sum(queue), target: {type: AverageValue, value: 30}}
      - {name: cpu, query: cpu, kind: cpu, up: {threshold: 0.9, for: 1m, step: 2}}
    behavior:
      scaleUp: {tolerance: 0.05, selectPolicy: Min}
      scaleDown:
        stabilizationWindowSeconds: 600
        policies: [{type: Pods, value: 1, periodSeconds: 60}]
  - name: cart
    max_replicas: 5
    metrics: [{name: p99, query: p99, kind: latency}]
    webhook: {url: 'https://example.com/hook?token=t0ken', secret: s3cret}
external_scaler: {listen: '127.0.0.1:9090'}
"""


def loaded(directory: Path, text: str) -> Config:
    path = directory / "controlplane.yml"
    path.write_text(text)
    return load(path)


def refusal(directory: Path, text: str) -> str:
    """Return why a file is refused."""
    with pytest.raises(ConfigError) as caught:
        loaded(directory, text)
    return "\n".join(f"{each.line}: {each.reason}" for each in caught.value.problems)


def policy(directory: Path, **changes: object) -> str:
    """Return why a policy with other keys is refused."""
    bare = {"name": "a", "max_replicas": 3, "metrics": [{"name": "m", "query": "m", "kind": "cpu"}]}
    return refusal(directory, yaml.safe_dump({"autoscaling": [{**bare, **changes}]}))


def test_policies_are_read(tmp_path: Path) -> None:
    """`behavior` in the HPA's own keys; what is not given is the HPA's too."""
    config = loaded(tmp_path, _WHOLE)
    shop, cart = config.autoscaling
    assert shop == Policy(
        "shop",
        20,
        (
            MetricOptions("queue", "sum(queue)", target=MetricTarget(30, TargetType.AVERAGE_VALUE)),
            MetricOptions("cpu", "cpu", Kind.CPU, up=Threshold(0.9, 60_000, 2)),
        ),
        min_replicas=2,
        mode=Mode.ACT,
        workload=WorkloadOptions("shop", "prod"),
        interval=30_000,
        behavior=Behavior(
            ScalingRules(None, (), SelectPolicy.MIN, 0.05),
            ScalingRules(600, (ScalingPolicy(PolicyType.PODS, 1, 60),)),
        ),
    )
    assert shop.metrics[1].thresholds == (Threshold(0.9, 60_000, 2), Threshold(0.3))
    assert (cart.mode, cart.behavior, cart.min_replicas) == (Mode.SHADOW, None, 1)
    assert cart.webhook is not None
    assert cart.webhook.secret is not None
    assert config.external_scaler == ExternalScalerOptions("127.0.0.1:9090")


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    """Without secrets, and with every key as it was written."""
    shown = render(loaded(tmp_path, _WHOLE))
    assert "t0ken" not in shown
    assert "s3cret" not in shown
    plain = yaml.safe_load(shown)
    plain["autoscaling"].pop()
    again = loaded(tmp_path, yaml.safe_dump({"autoscaling": plain["autoscaling"]}))
    assert again.autoscaling == loaded(tmp_path, _WHOLE).autoscaling[:1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"max_replicas": 0}, "from 1 to"),
        ({"min_replicas": 4}, "from 0 to max_replicas"),
        ({"metrics": []}, "needs a metric"),
        ({"interval": "10ms"}, "at least 1s"),
        ({"name": "A b"}, "name"),
        ({"replicas": "sum("}, "parse error"),
        ({"mode": "maybe"}, "one of shadow, act"),
        ({"metrics": [{"name": "m", "query": "m"}]}, "a target, a kind, or thresholds"),
        (
            {"metrics": [{"name": "m", "query": "m", "kind": "cpu", "target": {"value": 1}}]},
            "either a target or thresholds",
        ),
        (
            {"metrics": [{"name": "m", "query": "m", "kind": "cpu", "down": {"threshold": 0.7}}]},
            "not below the threshold of up",
        ),
        ({"metrics": [{"name": "m", "query": "m", "kind": "cpu"}] * 2}, "two metrics"),
        ({"workload": {"name": "x", "api_version": "v1"}}, "GROUP/VERSION"),
        ({"webhook": {}}, "url & url_file"),
        ({"workload": {"name": "x"}, "webhook": {"url": "http://x"}}, "either workload or webhook"),
        ({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}}, "from 0 to 3600"),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1}]}}},
            "periodSeconds",
        ),
        (
            {
                "behavior": {
                    "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}
                }
            },
            "from 1 to 1800",
        ),
        ({"behavior": {"scale_up": {}}}, "scaleUp"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    """Each with what to do about it."""
    assert reason in policy(tmp_path, **changes)


def test_names_are_unique(tmp_path: Path) -> None:
    """Two policies of one name would be one in the API."""
    one = "{name: a, max_replicas: 3, metrics: [{name: m, query: m, kind: cpu}]}"
    assert "'a' is not unique" in refusal(tmp_path, f"autoscaling: [{one}, {one}]\n")
