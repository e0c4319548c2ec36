"""`depends_on` of targets and of `rule_settings`: what is read, and that nothing goes round."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from controlplane.config.findings import Findings
from controlplane.config.kinds import text
from controlplane.config.schema import Leaf, ListOf
from controlplane.model import marked_yaml
from controlplane.model.dependency import find_cycle, parse_dependency
from controlplane.model.labels import Labels
from controlplane.model.marked_yaml import Mapping
from controlplane.model.target import TargetSpec
from controlplane.mute.dependencies import surely_below
from controlplane.mute.options import RuleDependency
from controlplane.rules.options import Rule, RuleGroup, RuleSettings
from controlplane.targets.dependencies import Depending, cycle_through

DEPENDENCIES: Final = ListOf(
    "a list of names and matchers",
    Leaf("a name, or matchers in braces", lambda node: parse_dependency(text(node)), str),
)


def rule_dependencies(
    groups: Iterable[RuleGroup], settings: Sequence[RuleSettings]
) -> Iterator[tuple[int, RuleDependency]]:
    """Yield what alerting rules depend on, each with the place of the setting that says it."""
    said = [(place, each) for place, each in enumerate(settings) if each.depends_on is not None]
    for group in groups if said else ():
        for rule in group.rules:
            for place, setting in said if rule.alert else ():
                if setting.match.matches(group, rule):
                    if setting.depends_on:
                        labels = _known_labels(group, rule)
                        yield place, RuleDependency(rule.alert, setting.depends_on, labels)
                    break


def check_dependencies(
    root: Mapping,
    targets: Sequence[TargetSpec],
    groups: Iterable[RuleGroup],
    settings: Sequence[RuleSettings],
    found: Findings,
) -> None:
    """Note every circle, once, at the first of those that go round in it."""
    _check_targets(root, targets, found)
    seen: set[RuleDependency] = set()
    edges: dict[RuleDependency, int] = {}
    for place, edge in rule_dependencies(groups, settings):
        edges[edge] = min(place, edges.get(edge, place))
    for edge, place in sorted(edges.items(), key=lambda item: item[1]):
        cycle = () if edge in seen else find_cycle(edge, lambda each: surely_below(each, edges))
        if cycle:
            seen.update(cycle)
            names = " -> ".join(each.alertname for each in cycle)
            _note(root, "rule_settings", place, f"depends_on goes round: {names}", found)


def _check_targets(root: Mapping, targets: Sequence[TargetSpec], found: Findings) -> None:
    known = [Depending.of_spec(spec) for spec in targets]
    seen: set[str] = set()
    for place, spec in enumerate(targets):
        if not spec.depends_on or spec.name in seen:
            continue
        if cycle := cycle_through(spec.name, known):
            seen.update(cycle)
            _note(root, "targets", place, f"depends_on goes round: {' -> '.join(cycle)}", found)


def _note(root: Mapping, section: str, place: int, reason: str, found: Findings) -> None:
    """Note a problem at the `depends_on` of an entry of a list."""
    node = root.get(section)
    entry = node.items[place] if isinstance(node, marked_yaml.Sequence) else None
    if isinstance(entry, Mapping):
        found.add(entry.file, entry.key_lines.get("depends_on", entry.line), reason)


def _known_labels(group: RuleGroup, rule: Rule) -> Labels:
    """Return the labels that all alerts of a rule have: those that are no templates."""
    given = {**dict(group.labels), **dict(rule.labels)}
    return Labels({name: value for name, value in given.items() if "{{" not in value})
