"""Label sets: equal by content, ordered, printed and named as Prometheus does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels, is_utf8


def test_an_empty_value_is_no_label() -> None:
    """Setting a label to nothing is the same as not setting it."""
    assert Labels({"a": "", "b": "1"}) == Labels({"b": "1"})
    assert Labels({"a": "1"}).merge({"a": ""}) == Labels()


def test_order_does_not_matter() -> None:
    """Sets are equal, and hash alike, whatever order they were written in."""
    one, other = Labels([("b", "2"), ("a", "1")]), Labels({"a": "1", "b": "2"})
    assert one == other
    assert hash(one) == hash(other)
    assert list(one) == ["a", "b"]


def test_a_set_cannot_be_changed() -> None:
    """Labels are handed between threads, so nobody may alter them."""
    labels = Labels({"a": "1"})
    with pytest.raises(AttributeError):
        labels.pairs = ()


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"__name__": "up"}, "up"),
        ({"__name__": "up", "job": "a"}, 'up{job="a"}'),
        ({"job": 'a"\\\n'}, '{job="a\\"\\\\\\n"}'),
        ({"__name__": "a.b", "l.x": "y"}, '{"a.b", "l.x"="y"}'),
        ({}, "{}"),
    ],
)
def test_printed_as_prometheus_does(labels: dict[str, str], text: str) -> None:
    """A set prints as a selector that finds it, UTF-8 names in quotes."""
    assert str(Labels(labels)) == text


def test_fingerprint_is_alertmanagers() -> None:
    """The fingerprint is FNV-1a over names and values, each ended by 0xff.

    The digits are what amtool shows for an alert with this one label.
    """
    assert Labels({"alertname": "x"}).fingerprint() == "d240efc3896bf266"
    assert Labels().fingerprint() == "cbf29ce484222325"


def test_keep_and_drop() -> None:
    """A set can be cut down to some names, or to all others."""
    labels = Labels({"a": "1", "b": "2", "c": "3"})
    assert labels.keep(["a", "c", "x"]) == Labels({"a": "1", "c": "3"})
    assert labels.drop("a", "x") == Labels({"b": "2", "c": "3"})


def test_lone_surrogates_are_no_text() -> None:
    """Half a surrogate pair, which JSON can write, cannot be stored as UTF-8."""
    assert is_utf8("grün")
    assert not is_utf8("\ud800")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5))
def test_a_set_holds_what_it_was_given(items: dict[str, str]) -> None:
    """Reading gives what was written, but for empty values."""
    labels = Labels(items)
    assert dict(labels) == {name: value for name, value in items.items() if value}
    assert labels == Labels(reversed(list(items.items())))
