"""Which routes take an alert, and by what name receivers know a group."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.routing.options import Route, check_root
from controlplane.routing.tree import Node, build_tree

AMTOOL = shutil.which("amtool")


def route(
    receiver: str | None = None, matchers: str = "", *routes: Route, continue_: bool = False
) -> Route:
    return Route(
        receiver=receiver,
        matchers=parse_matchers(matchers),
        routes=routes,
        continue_=continue_,
    )


TREE = route(
    "default",
    "",
    route(
        "db", 'service="db"', route(None, "severity=page"), route("db-low", "severity=~low|none")
    ),
    route("all", "team=~.+", continue_=True),
    route("web", 'team="web",severity!="info"'),
    route(None, 'team="web"', route("web-info", 'severity="info"')),
)


def receivers(root: Node, labels: dict[str, str]) -> list[str]:
    return [node.receiver for node in root.match(Labels(labels))]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["default"]),
        ({"service": "db"}, ["db"]),
        ({"service": "db", "severity": "page"}, ["db"]),
        ({"service": "db", "severity": "low"}, ["db-low"]),
        ({"service": "db", "team": "web"}, ["db"]),
        ({"team": "web"}, ["all", "web"]),
        ({"team": "web", "severity": "info"}, ["all", "web-info"]),
        ({"team": "ops"}, ["all"]),
    ],
)
def test_the_deepest_match_takes_the_alert(labels: dict[str, str], expected: list[str]) -> None:
    """Depth first, left to right, further only after `continue`, else the node itself."""
    assert receivers(build_tree(TREE), labels) == expected


def test_settings_are_inherited() -> None:
    """A child has its parent's settings but for those it names; the root has the defaults."""
    root = build_tree(
        Route(
            receiver="r",
            group_by=("a",),
            group_wait=1,
            routes=(Route(group_by=(), repeat_interval=7), Route(group_by=("...",))),
        )
    )
    assert (root.group_wait, root.group_interval, root.repeat_interval) == (1, 300_000, 14_400_000)
    first, second = root.children
    assert (first.receiver, first.group_by, first.group_wait) == ("r", frozenset(), 1)
    assert first.repeat_interval == 7
    assert second.group_by is None


def test_group_keys_are_spelled_as_alertmanager_spells_them() -> None:
    """Matchers sorted and joined along the path, then the group labels in Go's quotes."""
    root = build_tree(
        Route(
            receiver="r",
            group_by=("alertname", "path"),
            routes=(
                Route(matchers=parse_matchers('z="1",severity="x"'), routes=(Route(),)),
                Route(matchers=parse_matchers('a=~"b|c"')),
            ),
        )
    )
    labels = Labels({"alertname": "y", "path": 'a"\\\n\u00e9', "job": "j"})
    first, second = root.children
    assert second.group_key(second.group_labels(labels)) == (
        '{}/{a=~"b|c"}:{alertname="y", path="a\\"\\\\\\né"}'
    )
    assert first.key == '{}/{severity="x",z="1"}'
    assert first.children[0].id == '{}/{severity="x",z="1"}/0/{}/0'
    assert root.group_key(Labels()) == "{}:{}"


@pytest.mark.parametrize(
    ("make", "pointer"),
    [
        (lambda: Route(group_by=("...", "a")), "/group_by"),
        (lambda: Route(group_by=("a", "b", "a")), "/group_by/2"),
        (lambda: Route(group_by=("",)), "/group_by/0"),
        (lambda: Route(group_interval=0), "/group_interval"),
        (lambda: Route(repeat_interval=0), "/repeat_interval"),
        (lambda: check_root(Route(), frozenset()), "/receiver"),
        (lambda: check_root(route("r", "a=b"), frozenset("r")), "/matchers"),
        (
            lambda: check_root(route("r", "", route(None, "", route("x"))), frozenset("r")),
            "/routes/0/routes/0/receiver",
        ),
    ],
)
def test_what_cannot_stand_is_refused_with_its_place(
    make: Callable[[], object], pointer: str
) -> None:
    """The pointer leads to the key, so that the file's line can be named."""
    with pytest.raises(InvalidInput) as caught:
        make()
    assert caught.value.pointer == pointer


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "1", "2", "x"])
MATCHERS = st.lists(
    st.builds(
        lambda name, op, value: f'{name}{op}"{value}"',
        NAMES,
        st.sampled_from(["=", "!=", "=~", "!~"]),
        st.sampled_from(["1", "2", "x", "1|2", ".+", "[12]?"]),
    ),
    max_size=2,
)


def node(
    routes: st.SearchStrategy[list[dict[str, object]]],
) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {
            "receiver": st.sampled_from(["r1", "r2", "r3", "r4"]),
            "matchers": MATCHERS,
            "continue": st.booleans(),
            "routes": routes,
        }
    )


TREES = st.recursive(
    node(st.just([])), lambda below: node(st.lists(below, max_size=3)), max_leaves=6
)


def as_route(tree: dict[str, object]) -> Route:
    texts, below = tree["matchers"], tree["routes"]
    assert isinstance(texts, list)
    assert isinstance(below, list)
    return Route(
        receiver=str(tree["receiver"]),
        matchers=tuple(matcher for text in texts for matcher in parse_matchers(text)),
        continue_=bool(tree["continue"]),
        routes=tuple(as_route(child) for child in below),
    )


@pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed")
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=TREES, labels=st.dictionaries(NAMES, VALUES))
def test_routing_agrees_with_amtool(
    tmp_path: Path, tree: dict[str, object], labels: dict[str, str]
) -> None:
    """The real `amtool config routes test` names the same receivers in the same order."""
    tree = {**tree, "matchers": [], "continue": False}
    file = tmp_path / "alertmanager.yml"
    names = [{"name": f"r{number}"} for number in range(1, 5)]
    file.write_text(json.dumps({"route": tree, "receivers": names}))
    given_labels = [f"{name}={value}" for name, value in labels.items()]
    command = [str(AMTOOL), "config", "routes", "test", f"--config.file={file}", *given_labels]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert receivers(build_tree(as_route(tree)), labels) == said.stdout.strip().split(",")
