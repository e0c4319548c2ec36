"""label_replace and label_join."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import re2

from controlplane.model.labels import METRIC_NAME, Labels, is_utf8
from controlplane.promql.errors import EvaluationError
from controlplane.promql.quoting import shown
from controlplane.promql.series import Relabelled, SeriesSet, merge_equal

# `$1`, `${1}`, `$name`, `${name}`, `$$`, as Go's regexp.Expand reads them.
_REFERENCE: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


def replacer(destination: str, replacement: str, source: str, pattern: str):  # type: ignore[no-untyped-def]
    """Return the change of label_replace. Raises EvaluationError."""
    regex = _compiled(pattern)
    check_name(destination, "destination", "label_replace")

    def change(series: SeriesSet) -> Relabelled:
        return _changed(series, destination, [_replaced(ls) for ls in series.labels])

    def _replaced(labels: Labels) -> str | None:
        match = regex.fullmatch(labels.value(source))
        return None if match is None else expand(replacement, match)

    return change


def joiner(destination: str, separator: str, sources: Sequence[str]):  # type: ignore[no-untyped-def]
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


def _compiled(pattern: str):  # type: ignore[no-untyped-def]
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        reason = f"invalid regular expression in label_replace(): {pattern}"
        raise EvaluationError(reason) from None


def expand(template: str, match) -> str:  # type: ignore[no-untyped-def]
    """Fill the references of a template; unknown groups are empty."""
    names = match.re.groupindex
    last = match.re.groups

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        number = int(name) if name.isdigit() else names.get(name, last + 1)
        return (match.group(number) or "") if number <= last else ""

    return _REFERENCE.sub(group, template)


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
