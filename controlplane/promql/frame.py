"""What flows between the nodes of a plan: frames down, blocks of values up.

A block holds n series at k instants as arrays (n, k), so that an instant query
(k = 1) and a range query take the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.errors import DeadlineExceeded
from controlplane.model.histogram import Histograms
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.promql.annotations import Annotations
from controlplane.promql.errors import QueryCanceled, TooManySamples
from controlplane.promql.options import EngineOptions
from controlplane.promql.results import Results
from controlplane.promql.series import NO_SERIES, SeriesSet
from controlplane.tsdb.ports import Querier


@dataclass(slots=True)
class Run:
    """One evaluation: its snapshot, its limits, what it has to say.

    `samples` counts the values that nodes hold at this moment.
    """

    querier: Querier
    options: EngineOptions
    results: Results
    lookback: Duration
    annotations: Annotations
    monotonic: Callable[[], float]
    deadline: float
    canceled: Callable[[], bool] | None = None
    samples: int = 0

    def check(self) -> None:
        """Raise QueryCanceled or DeadlineExceeded if it is time to stop."""
        if self.canceled is not None and self.canceled():
            raise QueryCanceled
        if self.monotonic() > self.deadline:
            raise DeadlineExceeded("query timed out in expression evaluation")

    def hold(self, before: int, values: Values, present: Mask) -> None:
        """Count a block after its inputs, `before` which this many were held, are let go."""
        samples = before + values.size
        if samples > self.options.max_samples:
            samples = before + int(np.count_nonzero(present))
            if samples > self.options.max_samples:
                raise TooManySamples
        self.samples = samples


@dataclass(frozen=True, eq=False)
class Frame:
    """The instants at which a node is asked: `times` rises by `step`, shape (k,).

    `start`, `end` and `query_step` are those of the whole query, which
    `@ start()` and `step()` speak of; `query_step` is 0 in an instant query.
    """

    run: Run
    times: Times
    start: Timestamp
    end: Timestamp
    query_step: Duration

    @property
    def steps(self) -> int:
        return len(self.times)

    @cached_property
    def seconds(self) -> Values:
        """The instants in seconds, shape (k,)."""
        seconds: Values = self.times / 1000.0
        return seconds

    def at(self, times: Times) -> "Frame":
        """Return the frame of a subquery."""
        return Frame(self.run, times, self.start, self.end, self.query_step)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Values of n series at k instants; where `present` is False `values` means nothing.

    `histograms`, of the same shape, is None when all samples are floats.
    """

    series: SeriesSet
    values: Values
    present: Mask
    histograms: Histograms | None = None


def empty(steps: int) -> Block:
    """Return a block without series."""
    return Block(NO_SERIES, np.zeros((0, steps)), np.zeros((0, steps), dtype=bool))


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """For n series and k instants the samples within a window each.

    `values` and `times` are flat, series after series; the window of series i
    at instant j is the slice `[low[i, j]:high[i, j]]`. `ends` (k,) are the
    right edges, `width` the length in milliseconds. `histograms`, flat as
    `values`, is None when all samples are floats.
    """

    series: SeriesSet
    values: Values
    times: Times
    low: Refs
    high: Refs
    ends: Times
    width: Duration
    histograms: Histograms | None = None


class VectorNode(Protocol):
    """A part of a plan whose answer is an instant vector."""

    def evaluate(self, frame: Frame) -> Block: ...


class ScalarNode(Protocol):
    """A part of a plan whose answer is a number at each instant, shape (k,)."""

    def scalar(self, frame: Frame) -> Values: ...


class MatrixNode(Protocol):
    """A part of a plan whose answer is a range vector."""

    def windows(self, frame: Frame) -> Windows: ...
