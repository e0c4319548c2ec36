"""What one target's series are called in the store, and which have gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import Labels
from controlplane.model.samples import Refs, Times, Values
from controlplane.scrape.exposition.page import NO_TIME, Page, Shape
from controlplane.scrape.job import Failure, ScrapeFailed
from controlplane.scrape.naming import Naming
from controlplane.scrape.options import ScrapeConfig
from controlplane.tsdb.index import NO_SERIES
from controlplane.tsdb.ports import Appender

# In place of a series number: relabelling drops the sample.
_DROPPED: Final = -2
_UNKNOWN: Final = -3
_NONE: Final[Refs] = np.zeros(0, dtype=np.int64)

_Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What of a page is to be stored: arrays (n,).

    `times` is None when no sample has a timestamp of its own, else NO_TIME
    where one has none. `stale` are the series that the target no longer
    serves; `kept` counts the samples that relabelling left, `added` the
    series not seen before. `histograms` (n,) is None when all are floats.
    """

    refs: Refs
    values: Values
    times: Times | None
    stale: Refs
    kept: int
    added: int
    duplicates: int
    histograms: Sequence[FloatHistogram | None] | None = None


class SeriesCache:
    """The series of one target, by slot of the page that was read last.

    As long as the page keeps its shape, no label is looked at.
    """

    def __init__(self, appender: Appender, labels: Labels, config: ScrapeConfig) -> None:
        self._appender = appender
        self._config = config
        self._naming = Naming(labels, config)
        self._epoch = appender.epoch
        self._shape: Shape | None = None
        self._refs: Refs = _NONE  # of each slot
        self._rows: _Rows = np.zeros(0, dtype=np.intp)  # slots that are stored
        self._kept = 0
        self._timed = False
        self._live: Refs = _NONE  # what the last scrape served, to be marked when it goes

    def take(self, page: Page) -> Batch:
        """Return what a page has to store. Raises ScrapeFailed, ExpositionError."""
        self._renew()
        added = 0
        same = page.shape is self._shape
        if not same:
            added = self._learn(page.shape)
        times = page.times if self._config.honor_timestamps else None
        stale = _NONE
        if not same or times is not None or self._timed:
            self._choose_rows(times)
            before, self._live = self._live, self._tracked(times)
            stale = np.setdiff1d(before, self._live)
        elif not len(self._live):
            self._live = self._tracked(None)
        rows = self._rows
        return Batch(
            refs=self._refs[rows],
            values=page.values[rows],
            times=None if times is None else times[rows],
            stale=stale,
            kept=self._kept,
            added=added,
            duplicates=self._kept - len(rows),
            histograms=[page.histograms.get(row) for row in rows.tolist()]
            if page.histograms
            else None,
        )

    def gone(self) -> Refs:
        """Return all series that were there, to be marked once: the scrape failed."""
        self._renew()
        stale, self._live = self._live, _NONE
        return stale

    def rebuilt(self, labels: Labels, config: ScrapeConfig) -> "SeriesCache":
        """Return a cache for the same target under new rules.

        It still knows what is live, so that whatever the new rules no longer
        name is marked stale.
        """
        self._renew()
        cache = SeriesCache(self._appender, labels, config)
        cache._live = self._live
        return cache

    def _renew(self) -> None:
        """Ask for all numbers anew when the store gave some back."""
        epoch = self._appender.epoch
        if epoch == self._epoch:
            return
        live = np.isin(self._refs, self._live)
        if self._shape is not None:
            slots = np.flatnonzero(self._refs != _DROPPED).tolist()
            labels = self._naming.labels(self._shape, slots)
            self._refs[slots] = self._appender.refs([label for label in labels if label])
        self._live = np.unique(self._refs[live])
        self._epoch = epoch

    def _learn(self, shape: Shape) -> int:
        """Find the number of each series of a new shape; return how many are new."""
        known: dict[bytes, int] = {}
        if self._shape is not None:
            known = dict(zip(self._shape.series(), self._refs.tolist(), strict=True))
        refs = np.array([known.get(head, _UNKNOWN) for head in shape.series()], dtype=np.int64)
        fresh = np.flatnonzero(refs == _UNKNOWN).tolist()
        labels = self._naming.labels(shape, fresh)
        refs[fresh] = [_DROPPED if label is None else 0 for label in labels]
        kept = int(np.count_nonzero(refs != _DROPPED))
        limit = self._config.sample_limit
        if limit and kept > limit:
            raise ScrapeFailed(Failure.SAMPLE_LIMIT, f"sample limit exceeded: {kept} > {limit}")
        named = [label for label in labels if label is not None]
        slots = [slot for slot, label in zip(fresh, labels, strict=True) if label is not None]
        refs[slots] = self._appender.refs(named)
        over = int(np.count_nonzero(refs == NO_SERIES))
        if over:
            reason = f"series limit of the store exceeded: no room for {over} of {kept} series"
            raise ScrapeFailed(Failure.SERIES_LIMIT, reason)
        self._shape, self._refs, self._kept = shape, refs, kept
        return len(named)

    def _choose_rows(self, times: Times | None) -> None:
        """Pick the slots to store: the first of each series, and all with a timestamp."""
        refs = self._refs
        first = np.zeros(len(refs), dtype=bool)
        untimed = np.flatnonzero(refs >= 0 if times is None else (refs >= 0) & (times == NO_TIME))
        first[untimed[np.unique(refs[untimed], return_index=True)[1]]] = True
        # Series over the store's limit, which gave them up meanwhile, go along: it counts them.
        first |= refs == NO_SERIES
        if times is not None:
            first |= (refs >= 0) & (times != NO_TIME)
        self._timed = times is not None
        self._rows = np.flatnonzero(first)

    def _tracked(self, times: Times | None) -> Refs:
        refs = self._refs
        chosen = refs >= 0
        if times is not None and not self._config.track_timestamps_staleness:
            chosen &= times == NO_TIME
        return np.unique(refs[chosen])
