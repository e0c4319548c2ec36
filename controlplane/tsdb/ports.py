"""What writers and the query engine see of a sample store, whichever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.clock import Duration, Timestamp
from controlplane.model.histogram import FloatHistogram, Histograms
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.tsdb.lattice import Lattice


@dataclass(frozen=True, slots=True)
class Write:
    """What one probe, scrape or evaluation found: visible whole or not at all.

    `refs` and `values` have the shape (n,); `times` is one instant for all or
    an array (n,), in milliseconds. Where `histograms`, (n,) too, has one, it is
    the sample and the value means nothing. `origin` names the writer (a target's id, a
    rule group), `correlation_id` the tick or evaluation.
    """

    origin: str
    times: Timestamp | Times
    refs: Refs
    values: Values
    correlation_id: str = ""
    histograms: Sequence[FloatHistogram | None] | None = None


class Appender(Protocol):
    """The writing side. Safe to call from any thread; nothing blocks on disk."""

    def refs(self, series: Sequence[Labels]) -> Refs:
        """Return the number of each series, creating those that are new.

        Numbers stay valid until `epoch` changes. A series over a limit gets
        the number -1, whose samples are dropped and counted.
        """
        ...

    @property
    def epoch(self) -> int:
        """Changes when series numbers were given back: resolve them anew then."""
        ...

    def append(self, writes: Sequence[Write]) -> None:
        """Queue writes for the one writer, which commits them in order.

        Samples older than the series' newest, or at its time with another
        value, are rejected and counted, as Prometheus does. Raises Overloaded
        when the bounded queue is full (nothing of `writes` is then taken).
        """
        ...


@dataclass(frozen=True, slots=True)
class Instants:
    """For n series and k instants: the newest sample of each, arrays (n, k).

    Where `present` is False there is none within the lookback, or the newest
    is a staleness marker; `values` and `times` are then meaningless.
    """

    values: Values
    times: Times
    present: Mask


@dataclass(frozen=True, slots=True)
class Window:
    """All samples of n series within one window, series after series.

    Series i has `values[offsets[i]:offsets[i + 1]]`; `times` alike, rising.
    Staleness markers are left out. `offsets` has the shape (n + 1,).
    """

    values: Values
    times: Times
    offsets: Refs


@dataclass(frozen=True, slots=True)
class CounterWindows:
    """What rate and increase need of n series in k windows, arrays (n, k).

    `resets` is the sum of the values before each decrease inside the window,
    so the increase between first and last is `last - first + resets`. Where
    `count` is 0 the rest is meaningless.
    """

    first: Values
    last: Values
    first_times: Times
    last_times: Times
    resets: Values
    count: Refs


class HistogramLookup(Protocol):
    """Tells which sample values stand for native histograms."""

    def resolve(self, values: Values) -> tuple[Histograms, Mask]:
        """Return the histograms that values stand for (None: they are floats),
        and where one is no longer kept, so that there is no sample.
        """
        ...


class Querier(Protocol):
    """The reading side: one immutable snapshot. Safe to use from any thread."""

    @property
    def generation(self) -> int:
        """Changes whenever a series is created or removed; selections hold until then."""
        ...

    def reaching(self, start: Timestamp) -> "Querier":
        """Return a querier that answers for all instants after `start`: mostly itself.

        What is older than memory is read from the disk, which costs more. The
        numbers of series and the generation are those of the querier returned.
        """
        ...

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        """Return the numbers of the series that match all, rising."""
        ...

    def labels(self, refs: Refs) -> Sequence[Labels]:
        """Return the label set of each series."""
        ...

    def newest_times(self, refs: Refs) -> Times | None:
        """Return the instant of the newest sample of each series; None where that tells nothing.

        While these and the generation stay as they are, so do all samples of the series.
        """
        ...

    def label_names(self) -> Sequence[str]: ...

    def label_values(self, name: str) -> Sequence[str]:
        """Return the values of a label, sorted."""
        ...

    def histograms(self, refs: Refs) -> HistogramLookup | None:
        """Return what resolves the values of these series, None if all of them are floats."""
        ...

    def instants(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        """Return the newest samples within (t - lookback, t] for each t of `times`."""
        ...

    def window(self, refs: Refs, start: Timestamp, end: Timestamp) -> Window:
        """Return all samples within (start, end]."""
        ...

    def lattices(self, refs: Refs, ends: Times, width: Duration) -> Sequence[tuple[Refs, Lattice]]:
        """Return the samples within (e - width, e] for each e of `ends` of those series
        that are regular: their places in `refs`, and the lattice that they share.

        What is in no lattice, perhaps everything, is to be asked of `window`.
        """
        ...

    def counters(self, refs: Refs, ends: Times, width: Duration) -> CounterWindows:
        """Return the counter's course within (e - width, e] for each e of `ends`."""
        ...


class Queryable(Protocol):
    """Something that hands out snapshots."""

    def querier(self) -> Querier: ...


class Deleter(Protocol):
    """The deleting side. Blocks on the disk: not for the event loop."""

    def delete(self, matchers: Sequence[Matcher], start: Timestamp, end: Timestamp) -> None:
        """Delete the samples within [start, end] of the series that match all.

        No query begun later sees them, also after a restart. Samples that
        arrive later are not meant. Raises InvalidInput without matchers,
        Unavailable where the deletion cannot be kept.
        """
        ...

    def clean_tombstones(self) -> None:
        """Free the space of what was deleted. Raises Unavailable on a failing disk."""
        ...


class CommitListener(Protocol):
    """Is told, on the writer's thread, what has just become visible. Must return at once."""

    def __call__(self, writes: Sequence[Write]) -> None: ...
