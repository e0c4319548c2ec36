"""`route`: alertmanager.yml's tree (Alertmanager 0.34)."""

from collections.abc import Container, Iterator
from contextlib import suppress
from typing import Any, Final

from controlplane.config.findings import Findings, Refused
from controlplane.config.kinds import BOOLEAN, DURATION, LABELS, TEXT, TEXTS
from controlplane.config.schema import OMITTED, Key, Later, Leaf, ListOf, Made, MapOf, Section
from controlplane.errors import InvalidInput
from controlplane.model.labels import is_classic_label_name
from controlplane.model.marked_yaml import Mapping, Node, Scalar, Sequence
from controlplane.model.matcher_syntax import parse_matchers, sort_matchers
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.routing.options import Route, check_root


def _classic_name(name: str) -> str:
    if not is_classic_label_name(name):
        raise InvalidInput(f"not a valid label name: {name!r}")
    return name


def _matchers(node: Scalar) -> tuple[Matcher, ...]:
    return parse_matchers(node.text)


def _flat(lines: tuple[tuple[Matcher, ...], ...]) -> tuple[Matcher, ...]:
    return tuple(matcher for line in lines for matcher in line)


MATCHERS: Final = Made(
    ListOf("a list of matchers", Leaf("a matcher", _matchers)),
    _flat,
    lambda matchers: [str(matcher) for matcher in matchers] or OMITTED,
)


def match_kind(op: MatchOp) -> Made[tuple[Matcher, ...]]:
    """Return the kind of the older mappings of labels, all of which are matched one way."""
    return Made(
        MapOf("a mapping of labels", TEXT, _classic_name),
        lambda pairs: tuple(Matcher(name, op, value) for name, value in pairs.items()),
        lambda _: OMITTED,
    )


def _route(
    *,
    match: tuple[Matcher, ...] = (),
    match_re: tuple[Matcher, ...] = (),
    matchers: tuple[Matcher, ...] = (),
    **values: Any,
) -> Route:
    return Route(matchers=sort_matchers(match + match_re + matchers), **values)


ROUTE: Final[Section[Route]] = Section(
    "route",
    _route,
    {
        "receiver": Key(TEXT),
        "group_by": Key(Made(TEXTS, tuple, list)),
        "group_wait": Key(DURATION),
        "group_interval": Key(DURATION),
        "repeat_interval": Key(DURATION),
        "matchers": Key(MATCHERS),
        "match": Key(match_kind(MatchOp.EQUAL)),
        "match_re": Key(match_kind(MatchOp.REGEX)),
        "continue": Key(BOOLEAN, field="continue_"),
        "mute_time_intervals": Key(TEXTS),
        "active_time_intervals": Key(TEXTS),
        "routes": Key(ListOf("a list of routes", Later(lambda: ROUTE))),
        "labels": Key(LABELS),
    },
)


def check_root_route(root: Route, node: Node, found: Findings) -> None:
    """Note what is wrong with the root, which takes every alert."""
    names = frozenset(name.text for name in named_receivers(node))
    with suppress(Refused):
        found.build(lambda: check_root(root, names), node)
    if root.continue_ and isinstance(node, Mapping):
        found.add(node.file, node.key_lines["continue"], "cannot have continue in root route")


def check_receivers(node: Node | None, receivers: Container[str], found: Findings) -> None:
    """Note every route that names a receiver which is not defined."""
    for name in named_receivers(node):
        if name.text not in receivers:
            found.add(name.file, name.line, f"undefined receiver {name.text!r} used in route")


def named_receivers(node: Node | None) -> Iterator[Scalar]:
    """Iterate over the receivers that a route and those below it name."""
    if not isinstance(node, Mapping):
        return
    name, routes = node.get("receiver"), node.get("routes")
    if isinstance(name, Scalar) and name.text:
        yield name
    if isinstance(routes, Sequence):
        for child in routes.items:
            yield from named_receivers(child)
