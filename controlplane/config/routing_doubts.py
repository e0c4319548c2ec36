"""What a routing tree may say, and yet is hardly meant: nothing ever comes to pass by it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controlplane.config.config import Config
from controlplane.config.findings import Findings
from controlplane.config.includes import read_files
from controlplane.errors import Problem
from controlplane.model.marked_yaml import Mapping, Node
from controlplane.model.marked_yaml import Sequence as Items
from controlplane.model.matcher_logic import covered, follow, impossible
from controlplane.model.matcher_syntax import format_matchers
from controlplane.model.matchers import Matcher
from controlplane.routing.tree import Node as Route
from controlplane.routing.tree import build_tree


def routing_doubts(config: Config) -> list[Problem]:
    """Return what never happens: routes, receivers, intervals, rules. `config` is of a file."""
    root = read_files(Path(config.path), Findings()).root
    tree = _Tree(build_tree(config.route), _Place.of(root, "route"))
    found = [*tree.doubts()]
    for index, receiver in enumerate(config.receivers):
        if receiver.name not in tree.told:
            reason = f"receiver {receiver.name!r} is never told: no route leads to it"
            found.append(_Place.of(root, "receivers", index).problem(reason))
    return [*found, *_intervals(config, root, tree), *_inhibitions(config, root)]


def _intervals(config: Config, root: Mapping, tree: "_Tree") -> Iterator[Problem]:
    for key in ("mute_time_intervals", "time_intervals"):
        for index, interval in enumerate(getattr(config, key)):
            if interval.name not in tree.intervals:
                reason = f"time interval {interval.name!r} is used by no route"
                yield _Place.of(root, key, index).problem(reason)


def _inhibitions(config: Config, root: Mapping) -> Iterator[Problem]:
    for index, rule in enumerate(config.inhibit_rules):
        for side in ("source", "target"):
            never = impossible(getattr(rule, side))
            if never:
                reason = f"inhibit_rules: {format_matchers(never)} can never match ({side})"
                yield _Place.of(root, "inhibit_rules", index).problem(reason)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands in the files."""

    node: Node

    @classmethod
    def of(cls, root: Mapping, *way: str | int) -> "_Place":
        """Return the place that keys and indexes lead to, or the last one that is there."""
        place = cls(root)
        for step in way:
            place = place.below(step)
        return place

    def below(self, step: str | int) -> "_Place":
        held: Node | None = None
        if isinstance(self.node, Mapping) and isinstance(step, str):
            held = self.node.get(step)
        elif isinstance(self.node, Items) and isinstance(step, int):
            with suppress(IndexError):
                held = self.node.items[step]
        return self if held is None else _Place(held)

    def problem(self, reason: str) -> Problem:
        return Problem(self.node.file, self.node.line, reason)


class _Tree:
    """One walk over the routes; afterwards it is known who is told, and which intervals count."""

    def __init__(self, root: Route, place: _Place) -> None:
        self._root = root
        self._place = place
        self.told: set[str] = set()
        self.intervals: set[str] = set()

    def doubts(self) -> Iterator[Problem]:
        """Yield the routes that no alert ever takes."""
        return self._walk(self._root, self._place, ())

    def _walk(self, route: Route, place: _Place, above: Sequence[Matcher]) -> Iterator[Problem]:
        self.intervals.update(route.mute_time_intervals, route.active_time_intervals)
        known = (*above, *route.matchers)
        before: list[Route] = []
        taken: list[Route] = []
        for index, child in enumerate(route.children):
            below = place.below("routes").below(index)
            reason = _why_never(child, known, before)
            if reason:
                self._see(child)
                yield below.problem(f"route {format_matchers(child.matchers)} {reason}")
                continue
            yield from self._walk(child, below, known)
            taken.append(child)
            if not child.continue_:
                before.append(child)
        if not covered(known, [child.matchers for child in taken]):
            self.told.add(route.receiver)

    def _see(self, route: Route) -> None:
        """Take the intervals below a route for used: one finding is enough."""
        for each in route.walk():
            self.intervals.update(each.mute_time_intervals, each.active_time_intervals)


def _why_never(route: Route, above: Sequence[Matcher], before: Sequence[Route]) -> str:
    """Return why an alert that comes to its siblings never takes a route, or nothing."""
    known = (*above, *route.matchers)
    never = impossible(known)
    if never:
        return f"can never match: nothing fulfils {format_matchers(never)} together"
    for other in before:
        if follow(other.matchers, known):
            name = format_matchers(other.matchers)
            return f"is never reached: {name} before it takes all of its alerts, without continue"
    if covered(known, [other.matchers for other in before]):
        return "is never reached: those before it take all of its alerts, without continue"
    return ""
