"""Which rules of a group read what others of it write (Prometheus' buildDependencyMap)."""

from collections.abc import Sequence

from controlplane.model.labels import METRIC_NAME
from controlplane.model.matchers import Matcher
from controlplane.promql.ast import VectorSelector, walk
from controlplane.promql.parser import parse
from controlplane.rules.options import Rule
from controlplane.rules.produced import ALERT_NAME, ALERTS, ALERTS_FOR_STATE


def selectors(expr: str) -> tuple[tuple[Matcher, ...], ...]:
    """Return the matchers of each selector of an expression. Raises ParseError."""
    return tuple(node.matchers for node in walk(parse(expr)) if isinstance(node, VectorSelector))


def reads(selected: Sequence[Sequence[Matcher]], other: Rule) -> bool:
    """Tell whether one of the selectors may match what another rule writes."""
    return any(_may_match(matchers, other) for matchers in selected)


def _may_match(matchers: Sequence[Matcher], other: Rule) -> bool:
    names = (other.record,) if other.record else (ALERTS, ALERTS_FOR_STATE)
    for matcher in matchers:
        if matcher.name == METRIC_NAME:
            if not any(matcher.matches(name) for name in names):
                return False
        elif matcher.name == ALERT_NAME and other.alert and not matcher.matches(other.alert):
            return False
    return True
