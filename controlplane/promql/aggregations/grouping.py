"""Which series belong together under `by (...)` and `without (...)`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from controlplane.model.labels import EMPTY, METRIC_NAME, Labels
from controlplane.model.samples import Refs
from controlplane.promql.series import Key, SeriesSet
from controlplane.promql.sums import Segments, segments


@dataclass(frozen=True, eq=False)
class Grouping:
    """The group number of each row (n,), and the series that the groups become."""

    groups: Refs
    series: SeriesSet

    @property
    def size(self) -> int:
        return len(self.series)

    @cached_property
    def segments(self) -> Segments:
        return segments(self.groups, self.size)

    @cached_property
    def starts(self) -> Refs:
        """Where each group begins among the rows sorted by group."""
        starts: Refs = np.searchsorted(self.groups[self.segments.order], np.arange(self.size))
        return starts


def group(series: SeriesSet, names: Sequence[str], *, without: bool) -> Grouping:
    """Group series; numbers rise in the order in which groups appear.

    A group whose labels hold a metric name is marked to lose it when any of
    its series is.
    """
    if not without and not names:
        groups = np.zeros(len(series), dtype=np.int64)
        return Grouping(groups, SeriesSet([EMPTY] if len(series) else []))
    number: dict[Key, int] = {}
    keys = series.keys(names, without=without)
    found = [number.setdefault(key, len(number)) for key in keys]
    groups = np.array(found, dtype=np.int64)
    drops = None
    if series.drops is not None and not without and METRIC_NAME in names:
        drops = np.zeros(len(number), dtype=bool)
        drops[groups[series.drops]] = True
    return Grouping(groups, SeriesSet([Labels(key) for key in number], drops))
