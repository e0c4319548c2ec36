"""Alerts about ourselves, and fire drills, have ways of their own through the tree."""

import pytest

from controlplane.model.alert import DEAD_LETTER, FIRE_DRILL, FIRE_DRILL_FAILED, TEST_LABEL
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.routing.options import Route
from controlplane.routing.tree import build_tree, recipients

TREE = build_tree(
    Route(
        receiver="ops",
        routes=(
            Route(receiver="shop", matchers=parse_matchers('team="shop"'), group_by=("team",)),
            Route(receiver="desk", matchers=parse_matchers('team="desk"')),
            Route(receiver="shop", matchers=parse_matchers('team="other"')),
        ),
    )
)


def told(**labels: str) -> list[str]:
    """Return whom an alert with these labels goes to, when everybody tells somebody."""
    return [node.receiver for node in recipients(TREE, Labels(labels))]


@pytest.mark.parametrize("name", [DEAD_LETTER, FIRE_DRILL_FAILED])
def test_an_alert_on_a_receiver_goes_to_another_one_too(name: str) -> None:
    """It stays where it belongs, and is told to the first other one besides."""
    assert told(alertname=name, receiver="ops") == ["ops", "shop"]
    assert told(alertname=name, receiver="shop") == ["ops"]
    assert told(alertname=name, receiver="desk", team="desk") == ["desk", "ops"]


def test_it_is_not_told_to_those_who_tell_nobody() -> None:
    """A receiver without integrations is no other one."""
    labels = Labels({"alertname": FIRE_DRILL_FAILED, "receiver": "ops"})
    nodes = recipients(TREE, labels, lambda receiver: receiver != "shop")
    assert [node.receiver for node in nodes] == ["ops", "desk"]


def test_a_drill_for_a_receiver_goes_there_alone() -> None:
    """By the first route that leads there, whatever its matchers, with that route's groups."""
    labels = Labels({"alertname": FIRE_DRILL, TEST_LABEL: "true", "receiver": "shop"})
    (node,) = recipients(TREE, labels)
    assert (node.receiver, node.group_by) == ("shop", frozenset({"team"}))
    assert told(alertname=FIRE_DRILL, controlplane_test="true", receiver="ops") == ["ops"]


def test_a_drill_by_labels_goes_the_way_of_its_labels() -> None:
    """As an alert would that has them."""
    assert told(alertname=FIRE_DRILL, controlplane_test="true", team="desk") == ["desk"]
    assert told(alertname="CheckoutDown", controlplane_test="true", team="shop") == ["shop"]


def test_a_drill_for_one_to_whom_no_route_leads_is_routed_as_any_alert() -> None:
    """It does not vanish; that it came to somebody else is for the drill to say."""
    assert told(alertname=FIRE_DRILL, controlplane_test="true", receiver="gone") == ["ops"]


def test_a_foreign_alert_of_that_name_is_no_drill() -> None:
    """Without our mark it is an alert like any other."""
    assert told(alertname=FIRE_DRILL, receiver="desk") == ["ops"]
