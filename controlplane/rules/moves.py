"""Alerting rules that a reload moves from one group to another, with their alerts."""

from collections.abc import Mapping, Sequence

from controlplane.rules.alerting import AlertingRule
from controlplane.rules.group import Group
from controlplane.rules.options import Rule

Identity = tuple[Rule, object]


def identity(rule: AlertingRule) -> Identity:
    """Return what makes two rules of different groups the same."""
    return rule.rule, rule.labels


def movable(
    old: Sequence[Group], new: Mapping[str, Group]
) -> dict[Identity, tuple[Group, AlertingRule]]:
    """Return the alerting rules that have gone from where they stood, by what they are."""
    kept = {rule.rule_id for group in new.values() for rule in group.alerting}
    return {
        identity(rule): (group, rule)
        for group in old
        for rule in group.alerting
        if rule.rule_id not in kept
    }
