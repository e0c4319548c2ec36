"""What a registration may say, and where the refusal points."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.target import TargetSpec
from controlplane.targets.options import TargetOptions
from controlplane.targets.validation import check_address, check_name, check_spec, check_url
from tests.support.targets import PROBERS

URL = "http://a.test/"
OPTIONS = TargetOptions()


@pytest.mark.parametrize(
    "spec",
    [
        TargetSpec("a", url=URL),
        TargetSpec("a" * 63, url="https://[::1]:8443/x?y=z#f"),
        TargetSpec("0.a_b-c", url="http://münchen.example/"),
        TargetSpec("a", url="http://under_score.internal:80"),
        TargetSpec("a", address="10.0.0.5:5432", module="tcp_connect"),
        TargetSpec("a", address="[fe80::1%eth0]:22", module="tcp_connect"),
        TargetSpec("a", url=URL, labels=Labels({"job": "x", "a b/c~d": "\n"}), interval=1000),
        TargetSpec("a", url=URL, metrics_url="https://b.test/metrics", lease=1000),
        TargetSpec("a", url=URL, dashboard="red"),
    ],
)
def test_good_registrations_are_taken(spec: TargetSpec) -> None:
    """Everything that DESIGN allows passes."""
    check_spec(spec, OPTIONS, PROBERS.get)


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        (TargetSpec("a", url=URL, dashboard="blue"), "/dashboard"),
        (TargetSpec("", url=URL), "/name"),
        (TargetSpec("a" * 64, url=URL), "/name"),
        (TargetSpec("Upper", url=URL), "/name"),
        (TargetSpec("-a", url=URL), "/name"),
        (TargetSpec("a\n", url=URL), "/name"),
        (TargetSpec("a"), "/url"),
        (TargetSpec("a", url=URL, address="b:1"), "/url"),
        (TargetSpec("a", url="ftp://a.test/"), "/url"),
        (TargetSpec("a", url="http://"), "/url"),
        (TargetSpec("a", url="http://a.test:0/"), "/url"),
        (TargetSpec("a", url="http://a.test:99999/"), "/url"),
        (TargetSpec("a", url="http://a.test:x/"), "/url"),
        (TargetSpec("a", url="http://[::1/"), "/url"),
        (TargetSpec("a", url="http://[nonsense]/"), "/url"),
        (TargetSpec("a", url="http://a b/"), "/url"),
        (TargetSpec("a", url="http://a.test/\x00"), "/url"),
        (TargetSpec("a", url="http://a.test/\ud800"), "/url"),
        (TargetSpec("a", url="http://a.test/" + "x" * 2048), "/url"),
        (TargetSpec("a", url="http://-a.test/"), "/url"),
        (TargetSpec("a", address="nohost", module="tcp_connect"), "/address"),
        (TargetSpec("a", address=":80", module="tcp_connect"), "/address"),
        (TargetSpec("a", address="a:0", module="tcp_connect"), "/address"),
        (TargetSpec("a", address="a:65536", module="tcp_connect"), "/address"),
        (TargetSpec("a", address="a:٣", module="tcp_connect"), "/address"),
        (TargetSpec("a", address="::1:80", module="tcp_connect"), "/address"),
        (TargetSpec("a", url=URL, metrics_url="/metrics"), "/metrics_url"),
        (TargetSpec("a", url=URL, module="nope"), "/module"),
        (TargetSpec("a", url=URL, module="tcp_connect"), "/module"),
        (TargetSpec("a", address="a:80"), "/module"),
        (TargetSpec("a", url=URL, interval=999), "/interval"),
        (TargetSpec("a", url=URL, lease=0), "/lease"),
        (TargetSpec("a", url=URL, labels=Labels({"__name__": "x"})), "/labels/__name__"),
        (TargetSpec("a", url=URL, labels=Labels({"__a/b": "x"})), "/labels/__a~1b"),
        (TargetSpec("a", url=URL, labels=Labels({"": "x"})), "/labels"),
        (TargetSpec("a", url=URL, labels=Labels({"a": "\ud800"})), "/labels"),
        (TargetSpec("a", url=URL, labels=Labels({"a": "x" * 1025})), "/labels/a"),
        (TargetSpec("a", url=URL, labels=Labels({str(n): "x" for n in range(65)})), "/labels"),
    ],
)
def test_each_fault_is_refused_where_it_stands(spec: TargetSpec, pointer: str) -> None:
    """The pointer leads to the field that is wrong."""
    with pytest.raises(InvalidInput) as raised:
        check_spec(spec, OPTIONS, PROBERS.get)
    assert raised.value.pointer == pointer


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    """The endpoint becomes the label `instance`: a password in it would be public."""
    with pytest.raises(InvalidInput, match="no credentials") as raised:
        check_url("http://ann:hunter2@a.test/", "/url")
    assert "hunter2" not in str(raised.value)


@given(st.text(max_size=80))
def test_names_are_exactly_the_pattern(name: str) -> None:
    """For any text, the verdict is that of the documented pattern."""
    good = re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name) is not None
    try:
        check_name(name)
    except InvalidInput:
        assert not good
    else:
        assert good


@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_text_is_either_taken_or_refused(text: str) -> None:
    """Whatever is sent, nothing but InvalidInput is ever raised."""
    for check in (check_url, check_address):
        for candidate in (text, f"http://{text}", f"{text}:80", f"[{text}]:80"):
            with suppress(InvalidInput):
                check(candidate, "/x")
