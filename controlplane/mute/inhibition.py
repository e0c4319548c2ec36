"""Inhibition: what is the consequence of a greater fault is not told of."""

from collections.abc import Iterable, Sequence
from typing import Final

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.model.matchers import matches_all
from controlplane.mute.options import InhibitRule
from controlplane.mute.ports import Moment


class Inhibitor:
    """A Muter. `heard` is told of every change of an alert; the sources are kept by it."""

    kind: Final = "inhibition"

    def __init__(self, rules: Iterable[InhibitRule], alerts: Iterable[Alert] = ()) -> None:
        self.reload(rules, alerts)

    def reload(self, rules: Iterable[InhibitRule], alerts: Iterable[Alert]) -> None:
        """Change to other rules, with all alerts that there are: nothing is forgotten meanwhile."""
        self._rules = tuple(_Rule(rule) for rule in rules)
        known = tuple(alerts)
        for rule in self._rules:
            for alert in known:
                rule.learn(alert)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Take note of alerts that changed."""
        for rule in self._rules:
            for alert in alerts:
                rule.learn(alert)
            rule.tidy(now)

    def muting(self, labels: Labels, now: Timestamp) -> tuple[str, ...]:
        """Return the fingerprint of the alert that inhibits one with these labels, or nothing."""
        for rule in self._rules:
            source = rule.source_of(labels, now)
            if source is not None:
                return (source.fingerprint,)
        return ()

    def muted_by(self, labels: Labels, moment: Moment) -> tuple[str, ...]:
        """Return the same at the moment a group is due."""
        return self.muting(labels, moment.at)


class _Rule:
    """A rule with the source alerts that it knows, by the values that have to be equal."""

    def __init__(self, rule: InhibitRule) -> None:
        self._rule = rule
        self._sources: dict[tuple[str, ...], dict[Labels, Alert]] = {}
        self._learned = 0

    def learn(self, alert: Alert) -> None:
        # A fire drill hides nothing: what is broken meanwhile is told of.
        if not alert.is_test and matches_all(self._rule.source, alert.labels):
            self._sources.setdefault(self._key(alert.labels), {})[alert.labels] = alert
            self._learned += 1

    def tidy(self, now: Timestamp) -> None:
        """Drop the sources that have ended, once as many were learned as are kept."""
        if self._learned <= sum(map(len, self._sources.values())):
            return
        self._learned = 0
        for key in tuple(self._sources):
            known = self._sources[key]
            for labels in [a.labels for a in known.values() if _over(a, now)]:
                del known[labels]
            if not known:
                del self._sources[key]

    def source_of(self, labels: Labels, now: Timestamp) -> Alert | None:
        """Return a firing source, never one that is a target itself for one that is both.

        An alert that is on both sides would else inhibit itself (Alertmanager, hasEqual).
        """
        if not self._sources or not matches_all(self._rule.target, labels):
            return None
        both = matches_all(self._rule.source, labels)
        for source in self._sources.get(self._key(labels), {}).values():
            if _over(source, now) or (both and matches_all(self._rule.target, source.labels)):
                continue
            return source
        return None

    def _key(self, labels: Labels) -> tuple[str, ...]:
        return tuple(labels.value(name) for name in self._rule.equal)


def _over(alert: Alert, now: Timestamp) -> bool:
    return alert.status(now) is AlertStatus.RESOLVED
