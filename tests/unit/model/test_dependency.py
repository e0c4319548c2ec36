"""What something depends on, as one text; ways through what depends on what."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.dependency import (
    Dependency,
    find_cycle,
    parse_dependencies,
    parse_dependency,
    reach,
)
from controlplane.model.labels import Labels


def test_a_plain_text_is_a_name() -> None:
    """It finds the thing of that name, whatever its labels are."""
    named = parse_dependency(" orders-db ")
    assert (named, str(named)) == (Dependency(name="orders-db"), "orders-db")
    assert named.finds("orders-db", Labels())
    assert not named.finds("other", Labels({"job": "orders-db"}))


@pytest.mark.parametrize("text", ['{job="gateway", zone=~"a|b"}', 'job="gateway",zone=~"a|b"'])
def test_matchers_find_by_labels(text: str) -> None:
    """With or without braces; written as Alertmanager writes them, and read again."""
    found = parse_dependency(text)
    assert found.finds("x", Labels({"job": "gateway", "zone": "b"}))
    assert not found.finds("x", Labels({"job": "gateway"}))
    assert str(found) == '{job="gateway",zone=~"a|b"}'
    assert parse_dependency(str(found)) == found


@pytest.mark.parametrize("text", ["", "  ", "{}", '{job=""}', '{job=~".*"}', '{job="', "x" * 1025])
def test_what_means_nothing_or_everything_is_refused(text: str) -> None:
    """With the place in the list."""
    with pytest.raises(InvalidInput) as caught:
        parse_dependencies(["db", text])
    assert caught.value.pointer == "/1"


GRAPH = {"a": "bc", "b": "d", "c": "d", "d": "a", "e": "a", "f": "f", "g": ""}


@pytest.mark.parametrize(
    ("start", "way"), [("a", "abda"), ("d", "dabd"), ("e", ""), ("f", "ff"), ("g", "")]
)
def test_the_shortest_circle_is_found(start: str, way: str) -> None:
    """From a node back to itself; what only leads to a circle is in none."""
    assert "".join(find_cycle(start, GRAPH.__getitem__)) == way


def test_all_below_is_reached_once_the_nearest_first() -> None:
    """Also through circles, and without the node itself."""
    assert reach("e", GRAPH.__getitem__) == ("a", "b", "c", "d")
    assert reach("a", GRAPH.__getitem__) == ("b", "c", "d")
    assert reach("f", GRAPH.__getitem__) == ()
