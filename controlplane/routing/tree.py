"""The routing tree: settings inherited once, then matched as often as alerts come."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final

from controlplane.clock import Duration
from controlplane.model.alert import DEAD_LETTER, FIRE_DRILL, FIRE_DRILL_FAILED, TEST_LABEL
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matcher_syntax import format_matchers, go_quote, sort_matchers
from controlplane.model.matchers import Matcher, matches_all
from controlplane.routing.options import GROUP_BY_ALL, Route

GROUP_WAIT: Final[Duration] = 30_000
GROUP_INTERVAL: Final[Duration] = 300_000
REPEAT_INTERVAL: Final[Duration] = 14_400_000

# Alerts that the receiver in their label `receiver` was not told something.
_ON_RECEIVERS: Final = frozenset({DEAD_LETTER, FIRE_DRILL_FAILED})


@dataclass(frozen=True, slots=True)
class Node:
    """A route with everything inherited. `key` is that of Alertmanager, `id` is unique."""

    id: str
    key: str
    receiver: str
    group_by: frozenset[str] | None  # None: all labels
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration
    matchers: tuple[Matcher, ...]
    continue_: bool
    children: tuple["Node", ...]
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    labels: Labels = EMPTY

    def match(self, labels: Labels) -> tuple["Node", ...]:
        """Return the nodes that take an alert: the deepest ones, left to right.

        A child that matched ends the search among its siblings, unless it says
        `continue`. A node none of whose children match takes the alert itself.
        """
        if not matches_all(self.matchers, labels):
            return ()
        found: list[Node] = []
        for child in self.children:
            taken = child.match(labels)
            found += taken
            if taken and not child.continue_:
                break
        return tuple(found) or (self,)

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def group_labels(self, labels: Labels) -> Labels:
        """Return the labels by which an alert is grouped here."""
        return labels if self.group_by is None else labels.keep(self.group_by)

    def group_key(self, group_labels: Labels) -> str:
        """Return what receivers know a group by: `{}/{severity="x"}:{alertname="y"}`."""
        return _group_key(self.key, group_labels)


@lru_cache(maxsize=4096)
def _group_key(route: str, group_labels: Labels) -> str:
    """Return the text, which ten thousand alerts of one group need but once."""
    pairs = ", ".join(f"{name}={go_quote(value)}" for name, value in group_labels.pairs)
    return f"{route}:{{{pairs}}}"


_DEFAULTS: Final = Node(
    id="",
    key="",
    receiver="",
    group_by=frozenset(),
    group_wait=GROUP_WAIT,
    group_interval=GROUP_INTERVAL,
    repeat_interval=REPEAT_INTERVAL,
    matchers=(),
    continue_=False,
    children=(),
)


def recipients(
    root: Node, labels: Labels, tells: Callable[[str], bool] = lambda _receiver: True
) -> tuple[Node, ...]:
    """Return the nodes that take an alert under a root.

    An alert on a receiver that was not told something never goes to that one
    alone: where no other takes it, the first other one in the tree does, the
    root's before all. A fire drill for a receiver goes to that one, by the
    first node that leads there. `tells` says whether a receiver tells anybody.
    """
    nodes = root.match(labels)
    name = labels.value("alertname")
    if name == FIRE_DRILL and "receiver" in labels and labels.value(TEST_LABEL):
        return _leading_to(labels.value("receiver"), (*nodes, *root.walk())) or nodes
    if name not in _ON_RECEIVERS:
        return nodes

    def other(node: Node) -> bool:
        return node.receiver != labels.value("receiver") and tells(node.receiver)

    if any(other(node) for node in nodes):
        return nodes
    return (*nodes, *islice(filter(other, root.walk()), 1))


def _leading_to(receiver: str, nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(islice((node for node in nodes if node.receiver == receiver), 1))


def build_tree(root: Route) -> Node:
    """Return the tree of a root that `check_root` has passed."""
    return _build(root, _DEFAULTS, "")


def _build(route: Route, parent: Node, place: str) -> Node:
    matchers = sort_matchers(route.matchers)
    own = format_matchers(matchers)
    node = Node(
        id=f"{parent.id}/{own}/{place}" if place else own,
        key=f"{parent.key}/{own}" if place else own,
        receiver=route.receiver or parent.receiver,
        group_by=parent.group_by if route.group_by is None else _group_by(route.group_by),
        group_wait=_inherit(route.group_wait, parent.group_wait),
        group_interval=_inherit(route.group_interval, parent.group_interval),
        repeat_interval=_inherit(route.repeat_interval, parent.repeat_interval),
        matchers=matchers,
        continue_=route.continue_,
        children=(),
        mute_time_intervals=route.mute_time_intervals,
        active_time_intervals=route.active_time_intervals,
        labels=parent.labels.merge(route.labels) if route.labels else parent.labels,
    )
    children = [_build(child, node, str(index)) for index, child in enumerate(route.routes)]
    return replace(node, children=tuple(children))


def _group_by(names: tuple[str, ...]) -> frozenset[str] | None:
    return None if GROUP_BY_ALL in names else frozenset(names)


def _inherit(own: Duration | None, inherited: Duration) -> Duration:
    return inherited if own is None else own
