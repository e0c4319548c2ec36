"""A recording rule: the result of its expression, under a name and labels of its own."""

from collections.abc import Sequence

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput, TooLarge
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.promql.values import Scalar
from controlplane.rules.options import Rule, Texts
from controlplane.rules.ports import QueryFunc
from controlplane.rules.produced import Produced


class RecordingRule:
    """One recording rule. Belongs to the rule-evaluation thread."""

    def __init__(self, rule: Rule, rule_id: str, labels: Texts) -> None:
        """`labels` are the group's with the rule's own put over them."""
        self.rule = rule
        self.rule_id = rule_id
        self.labels = labels
        self._own = {**dict(labels), METRIC_NAME: rule.record}
        # The label sets of the last result and what became of them: the
        # engine hands out the same sequence until the set of series changes.
        self._last: tuple[Sequence[Labels], Sequence[Labels]] = ((), ())

    def evaluate(
        self, ts: Timestamp, query: QueryFunc, *, query_offset: Duration, limit: int
    ) -> Produced:
        """Return the recorded series at `ts`. Raises ControlPlaneError."""
        result = query(self.rule.expr, ts - query_offset)
        if isinstance(result, Scalar):
            return Produced([Labels(self._own)], np.array([result.value], dtype=np.float64))
        series = self._named(result.labels)
        if limit and len(series) > limit:
            raise TooLarge(f"exceeded limit of {limit} with {len(series)} series")
        return Produced(series, result.values, histograms=result.histograms)

    def _named(self, labels: Sequence[Labels]) -> Sequence[Labels]:
        if labels is self._last[0] and labels:
            return self._last[1]
        series = [element.merge(self._own) for element in labels]
        if len(set(series)) < len(series):
            raise InvalidInput(
                "vector contains metrics with the same labelset after applying rule labels"
            )
        self._last = (labels, series)
        return series
