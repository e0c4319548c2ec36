"""The matchers that cover some alerts, and as little else as one silence can."""

from collections.abc import Sequence

import re2

from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp


def covering(alerts: Sequence[Labels]) -> tuple[Matcher, ...]:
    """Return matchers that all of these label sets fulfil, in the order of the names.

    A label that all of them share is an equality; another one is the choice of
    the values it has among them, the empty one for those without it. An alert
    with any other value, such as of one more instance, is not covered.
    """
    names = sorted({name for labels in alerts for name, _ in labels.pairs})
    return tuple(_matcher(name, {labels.value(name) for labels in alerts}) for name in names)


def _matcher(name: str, values: set[str]) -> Matcher:
    if len(values) == 1:
        return Matcher(name, MatchOp.EQUAL, next(iter(values)))
    return Matcher(name, MatchOp.REGEX, "|".join(re2.escape(value) for value in sorted(values)))
