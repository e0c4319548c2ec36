"""What is sent as JSON is read as a file is, and its problems have pointers."""

from typing import Any

import pytest

from controlplane.autoscale.options import LOCAL, Kind, Policy
from controlplane.config.autoscaling import policy_of
from controlplane.errors import InvalidFields, InvalidInput
from controlplane.tsdb.remote.options import Datasource

_SHOP: dict[str, Any] = {
    "name": "shop",
    "max_replicas": 5,
    "metrics": [{"name": "cpu", "kind": "cpu", "query": "up", "shared": False}],
}


def test_a_policy_is_read_as_in_the_file() -> None:
    """Numbers, texts, truths and durations; null is not given."""
    policy = policy_of({**_SHOP, "interval": "1m", "replicas": None, "datasource": "local"})
    assert isinstance(policy, Policy)
    assert (policy.interval, policy.replicas, policy.datasource) == (60_000, "", LOCAL)
    assert (policy.metrics[0].kind, policy.metrics[0].shared) == (Kind.CPU, False)
    other = policy_of({**_SHOP, "datasource": {"url": "http://prometheus:9090"}})
    assert other.datasource == Datasource("http://prometheus:9090")


@pytest.mark.parametrize(
    ("given", "pointers"),
    [
        ({"max_replicas": "5"}, ["/max_replicas"]),
        ({"max_replicas": True}, ["/max_replicas"]),
        ({"name": "No Name", "min_replicas": -1}, ["/name", "/min_replicas"]),
        ({"min_replicas": 9}, ["/min_replicas"]),
        ({"metrics": [{"name": "a", "query": "rate("}]}, ["/metrics/0/query"]),
        ({"metrics": [{"query": "up", "kind": "cpu"}]}, ["/metrics/0"]),
        ({"replica": "up"}, ["/replica"]),
        ({"a/b~c": 1}, ["/a~1b~0c"]),
        ({"workload": {"name": "x", "kubeconfig": "/etc/passwd"}}, ["/workload/kubeconfig"]),
        ({"webhook": {"url_file": "/etc/passwd"}}, ["/webhook/url_file"]),
        ({"metrics": {}}, ["/metrics"]),
    ],
)
def test_problems_have_pointers(given: dict[str, Any], pointers: list[str]) -> None:
    """Each where it stands, all at once; files of the server cannot be named."""
    with pytest.raises(InvalidFields) as caught:
        policy_of({**_SHOP, **given})
    assert [each.pointer for each in caught.value.places] == pointers


def test_what_was_struck_out_is_no_secret() -> None:
    """Who sends back what was shown is told."""
    with pytest.raises(InvalidInput, match="struck out") as caught:
        policy_of({**_SHOP, "webhook": {"url": "http://x/", "secret": "<secret>"}})
    assert caught.value.pointer == "/webhook/secret"


def test_depth_is_bounded() -> None:
    """However deep it is nested, it is refused."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested too deeply"):
        policy_of({**_SHOP, "metrics": deep})
