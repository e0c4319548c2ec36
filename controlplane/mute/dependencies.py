"""Dependencies: while what something depends on is down, nobody is told that it is down too.

Only notifications are suppressed. What depends on one thing depends on all that
stands below it. Two that depend on each other, by whatever way, never suppress
one another: somebody has to be told.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.dependency import Dependency, reach
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.mute.options import RuleDependency
from controlplane.mute.ports import LastOutcome, Moment
from controlplane.mute.watched import TargetBook

# How what suppresses an alert is named where it is a target, and no alert.
TARGET: Final = "target/"


class Dependencies:
    """A Muter: targets that depend on targets, and rules that depend on alerts."""

    kind: Final = "dependency"

    def __init__(self, targets: "TargetDependencies", rules: "RuleDependencies") -> None:
        self._targets = targets
        self._rules = rules

    def muting(self, labels: Labels, now: Timestamp) -> tuple[str, ...]:
        """Return `target/` and the name of what is down, the id of the alert, or nothing."""
        down = self._targets.down(labels)
        if down:
            return (f"{TARGET}{down}",)
        source = self._rules.source_of(labels, now)
        return () if source is None else (source.fingerprint,)

    def muted_by(self, labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return the same at the moment a group is due."""
        return self.muting(labels, moment.at)


class TargetDependencies:
    """What targets depend on. A target is down when its last probe failed."""

    def __init__(self, targets: TargetBook, last_outcome: LastOutcome) -> None:
        self._targets = targets
        self._last_outcome = last_outcome
        self._version = -1
        self._found: dict[Dependency, tuple[str, ...]] = {}
        self._all: dict[str, tuple[str, ...]] = {}

    def down(self, labels: Labels) -> str:
        """Return the name of the nearest thing down below what an alert is about, or nothing."""
        for target_id in sorted(self._targets.about(labels)):
            for other in self._below(target_id):
                if self._last_outcome(other) is False and target_id not in self._below(other):
                    found = self._targets.get(other)
                    return other if found is None else found.name
        return ""

    def _below(self, target_id: str) -> tuple[str, ...]:
        """Return all that a target depends on, the nearest first."""
        if self._version != self._targets.version:
            self._version = self._targets.version
            self._found, self._all = {}, {}
        known = self._all.get(target_id)
        if known is None:
            known = self._all[target_id] = reach(target_id, self._directly)
        return known

    def _directly(self, target_id: str) -> Iterable[str]:
        target = self._targets.get(target_id)
        for dependency in target.depends_on if target is not None else ():
            yield from self._named(dependency)

    def _named(self, dependency: Dependency) -> tuple[str, ...]:
        if dependency.name:
            named = self._targets.named(dependency.name)
            return () if named is None else (named.id,)
        if dependency not in self._found:
            self._found[dependency] = tuple(
                target.id for target in self._targets if dependency.finds("", target.labels)
            )
        return self._found[dependency]


class RuleDependencies:
    """What the alerts of rules depend on: alerts. `heard` is told of every change of one."""

    def __init__(
        self, options: Iterable[RuleDependency] = (), alerts: Iterable[Alert] = ()
    ) -> None:
        self.reload(options, alerts, 0)

    def reload(
        self, options: Iterable[RuleDependency], alerts: Iterable[Alert], now: Timestamp
    ) -> None:
        """Change to others, with all alerts that there are: nothing is forgotten meanwhile."""
        edges = tuple(options)
        self._of: dict[str, list[RuleDependency]] = {}
        for edge in edges:
            self._of.setdefault(edge.alertname, []).append(edge)
        self._below = {
            edge: (edge, *reach(edge, lambda each: below(each, edges))) for edge in self._edges()
        }
        self._sources: dict[Dependency, dict[Labels, Alert]] = {
            dependency: {} for edge in edges for dependency in edge.on
        }
        self.heard(tuple(alerts), now)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Take note of alerts that changed."""
        for dependency, known in self._sources.items():
            for alert in alerts:
                if not dependency.finds(alert.name, alert.labels):
                    continue
                if alert.status(now) is AlertStatus.RESOLVED:
                    known.pop(alert.labels, None)
                else:
                    known[alert.labels] = alert

    def source_of(self, labels: Labels, now: Timestamp) -> Alert | None:
        """Return a firing alert that one with these labels depends on, or None."""
        for edge in self._of.get(labels.value("alertname"), ()):
            if not _is_of(edge, labels):
                continue
            for lower in self._below[edge]:
                for dependency in lower.on:
                    for source in self._sources[dependency].values():
                        fires = source.status(now) is AlertStatus.FIRING
                        if fires and not self._stands_on(source.labels, labels):
                            return source
        return None

    def _stands_on(self, source: Labels, labels: Labels) -> bool:
        """Tell whether a source is the alert itself, or depends on it in turn."""
        if source == labels:
            return True
        name = labels.value("alertname")
        return any(
            dependency.finds(name, labels)
            for edge in self._of.get(source.value("alertname"), ())
            if _is_of(edge, source)
            for lower in self._below[edge]
            for dependency in lower.on
        )

    def _edges(self) -> Iterable[RuleDependency]:
        return (edge for edges in self._of.values() for edge in edges)


def below(edge: RuleDependency, edges: Iterable[RuleDependency]) -> Iterable[RuleDependency]:
    """Yield the edges that lead on from the alerts that an edge leads to."""
    for other in edges:
        if any(_may_find(dependency, other) for dependency in edge.on):
            yield other


def surely_below(edge: RuleDependency, edges: Iterable[RuleDependency]) -> Iterable[RuleDependency]:
    """Yield those of which it is sure, whatever other labels the alerts come to have."""
    for other in edges:
        if any(_surely_finds(dependency, other) for dependency in edge.on):
            yield other


def _is_of(edge: RuleDependency, labels: Labels) -> bool:
    """Tell whether an alert is of the rule; its name is known to be."""
    return all(labels.value(name) == value for name, value in edge.labels.pairs)


def _may_find(dependency: Dependency, rule: RuleDependency) -> bool:
    """Tell whether alerts of a rule may be meant, as far as its labels are known."""
    if dependency.name:
        return dependency.name == rule.alertname
    known = [each for each in dependency.matchers if _value(each, rule) is not None]
    return bool(known) and all(each.matches(_value(each, rule) or "") for each in known)


def _surely_finds(dependency: Dependency, rule: RuleDependency) -> bool:
    if dependency.name:
        return dependency.name == rule.alertname
    return all(
        (value := _value(each, rule)) is not None and each.matches(value)
        for each in dependency.matchers
    )


def _value(matcher: Matcher, rule: RuleDependency) -> str | None:
    """Return what a rule's alerts have under a matcher's label, or None if nobody knows."""
    if matcher.name == "alertname":
        return rule.alertname
    return rule.labels.value(matcher.name) or None
