"""label_replace and label_join."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import re2

from controlplane.model.expansion import expand
from controlplane.model.labels import METRIC_NAME, Labels, is_utf8
from controlplane.promql.errors import EvaluationError
from controlplane.promql.quoting import shown
from controlplane.promql.series import Relabelled, SeriesSet, merge_equal

# What a function makes of the label sets of a result.
Change = Callable[[SeriesSet], Relabelled]


def replacer(destination: str, replacement: str, source: str, pattern: str) -> Change:
    """Return the change of label_replace. Raises EvaluationError."""
    regex = _compiled(pattern)
    check_name(destination, "destination", "label_replace")

    def change(series: SeriesSet) -> Relabelled:
        return _changed(series, destination, [_replaced(ls) for ls in series.labels])

    def _replaced(labels: Labels) -> str | None:
        match = regex.fullmatch(labels.value(source))
        return None if match is None else expand(replacement, match, regex.groups, regex.groupindex)

    return change


def joiner(destination: str, separator: str, sources: Sequence[str]) -> Change:
    """Return the change of label_join. Raises EvaluationError."""
    for source in sources:
        check_name(source, "source", "label_join")
    check_name(destination, "destination", "label_join")

    def change(series: SeriesSet) -> Relabelled:
        joined = [separator.join([ls.value(s) for s in sources]) for ls in series.labels]
        return _changed(series, destination, joined)

    return change


def check_name(name: str, which: str, function: str) -> None:
    if not name or not is_utf8(name):
        raise EvaluationError(f"invalid {which} label name in {function}(): {shown(name)}")


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        reason = f"invalid regular expression in label_replace(): {pattern}"
        raise EvaluationError(reason) from None


def _changed(series: SeriesSet, destination: str, values: Sequence[str | None]) -> Relabelled:
    labels = [
        ls if value is None else ls.merge({destination: value})
        for ls, value in zip(series.labels, values, strict=True)
    ]
    drops = series.drops
    if drops is not None and destination == METRIC_NAME:
        # A name that was given on purpose stays.
        drops = drops & np.array([value is None for value in values], dtype=bool)
    return merge_equal(labels, drops)
