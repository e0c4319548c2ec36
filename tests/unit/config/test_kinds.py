"""Scalars as the programs read them whose files these are."""

import pytest

from controlplane.config import kinds
from controlplane.config.findings import Findings
from controlplane.config.kinds import Anything
from controlplane.config.places import PROXY_URL, URL, redact_url
from controlplane.config.schema import Leaf
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Mapping, Scalar, load_marked


def scalar(text: str) -> Scalar:
    """Return the node of a value as it is written in YAML."""
    root = load_marked(f"key: {text}", "f.yml")
    assert isinstance(root, Mapping)
    node = root.entries["key"]
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (kinds.TEXT, "123", "123"),
        (kinds.TEXT, "yes", "yes"),
        (kinds.TEXT, "~", ""),
        (kinds.BOOLEAN, "on", True),
        (kinds.BOOLEAN, "False", False),
        (kinds.INTEGER, "-12", -12),
        (kinds.INTEGER, "0x1F", 31),
        (kinds.INTEGER, "1_000", 1000),
        (kinds.DURATION, "1h30m", 5_400_000),
        (kinds.DURATION, "0", 0),
        (kinds.DURATION, "1d", 86_400_000),
        (kinds.GO_DURATION, "1.5s", 1_500),
        (kinds.GO_DURATION, "2m3s500ms", 123_500),
        (kinds.GO_DURATION, "100us", 1),
        (kinds.GO_DURATION, "0", 0),
        (kinds.SIZE, "10MB", 10 << 20),
        (kinds.SIZE, "1.5GiB", 3 << 29),
        (kinds.SIZE, "512B", 512),
        (kinds.SIZE, "0", 0),
        (kinds.REGEX, "a.*b", "a.*b"),
        (URL, "https://h:8443/p?q=1", "https://h:8443/p?q=1"),
        (PROXY_URL, "socks5://user:pw@proxy:1080", "socks5://user:pw@proxy:1080"),
    ],
)
def test_values(kind: Leaf[object], written: str, value: object) -> None:
    """A scalar is read as its program reads it."""
    assert kind.read(scalar(written), Findings()) == value


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (kinds.BOOLEAN, "'true'"),
        (kinds.BOOLEAN, "1"),
        (kinds.INTEGER, "'5'"),
        (kinds.INTEGER, "1.5"),
        (kinds.INTEGER, "010"),
        (kinds.INTEGER, "9" * 5000),
        (kinds.NATURAL, "-1"),
        (kinds.DURATION, "15"),
        (kinds.DURATION, "1.5s"),
        (kinds.DURATION, "5s1m"),
        (kinds.DURATION, "-1s"),
        (kinds.DURATION, "9" * 5000 + "s"),
        (kinds.POSITIVE_DURATION, "0s"),
        (kinds.GO_DURATION, "1d"),
        (kinds.GO_DURATION, "10"),
        (kinds.GO_DURATION, "-1s"),
        (kinds.SIZE, "10"),
        (kinds.SIZE, "10kB"),
        (kinds.SIZE, "9999999EB"),
        (kinds.REGEX, "'('"),
        (kinds.REGEX, "(?=x)"),
        (URL, "ftp://h"),
        (URL, "/path"),
        (URL, "http://"),
        (URL, "http://h:99999/"),
        (URL, "'http://h/ x'"),
        (PROXY_URL, "proxy:3128"),
    ],
)
def test_refusals(kind: Leaf[object], written: str) -> None:
    """What upstream refuses is refused."""
    with pytest.raises(InvalidInput):
        kind.read(scalar(written), Findings())


def test_anything_is_json() -> None:
    """Free values are typed by YAML's rules, lists as tuples."""
    node = load_marked("{a: 1, b: [x, 1.5, yes, ~, '2'], c: {}}", "f")
    assert Anything().read(node, Findings()) == {"a": 1, "b": ("x", 1.5, True, None, "2"), "c": {}}


def test_a_url_is_shown_without_its_password() -> None:
    """A password in a URL is struck out, the rest stays."""
    assert redact_url("http://u:p@h:1/x") == "http://u:xxxxx@h:1/x"
    assert redact_url("http://h/x") == "http://h/x"
