"""Reading beyond what memory holds: the same answers, from blocks and head together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Protocol, TypeVar

import numpy as np

from controlplane.clock import Duration, Timestamp
from controlplane.model.histogram import Histograms
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb import runs
from controlplane.tsdb.blocks.archive import STRANGERS, Archive, HeadIdentities
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.errors import Corrupt
from controlplane.tsdb.blocks.identity import Directory, Identities
from controlplane.tsdb.blocks.joining import groups, joined, rising_only
from controlplane.tsdb.histogram_codec import decode
from controlplane.tsdb.histograms import is_marker, markers, numbers
from controlplane.tsdb.lattice import Lattice
from controlplane.tsdb.ports import CounterWindows, HistogramLookup, Instants, Querier, Window
from controlplane.tsdb.ragged import RaggedView
from controlplane.tsdb.runs import Samples
from controlplane.tsdb.sift import FURTHEST

log = get_logger(__name__)

# How many samples are held at a time where the answer is smaller than the samples.
_GROUP_SAMPLES: Final = 4_000_000
# Markers of histograms say in their upper bits which block they are from, counted from 1.
_OWN_BITS: Final = 40

_Table = TypeVar("_Table", Instants, CounterWindows)
# Is told of a block that cannot be read.
Report = Callable[[Block, Exception], None]


class Memory(Protocol):
    """What is needed of a snapshot of the head."""

    generation: int

    def select(self, matchers: Sequence[Matcher]) -> Refs: ...
    def labels(self, refs: Refs) -> Sequence[Labels]: ...
    def label_names(self) -> Sequence[str]: ...
    def label_values(self, name: str) -> Sequence[str]: ...
    def histograms(self, refs: Refs) -> HistogramLookup | None: ...
    def history(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return all samples of `refs`, which rise, within (start, end], markers too."""
        ...


@dataclass(frozen=True, slots=True)
class Past:
    """What a snapshot knows of older samples than the head's.

    From `floor` on the head has all. Before `served` all is in the archive;
    between the two both may have it (a block is being written). Samples that
    came too late for the head are in `late`, all of them before `floor`.
    """

    floor: Timestamp
    served: Timestamp
    late: tuple[RaggedView, ...]
    archive: Archive
    identities: HeadIdentities
    report: Report

    def reaching(self, memory: Memory, start: Timestamp) -> Querier:
        """Return a querier for all instants after `start`."""
        return LongQuerier(memory, self, start)


class LongQuerier:
    """Blocks and head as one `Querier`, by samples: exact, and in proportion to them."""

    def __init__(self, memory: Memory, past: Past, start: Timestamp) -> None:
        self._memory = memory
        self._past = past
        self._start = start
        self._blocks = past.archive.since(start)
        self._strangers = past.archive.strangers

    @property
    def generation(self) -> int:
        # Negative, so never that of a snapshot; the same only for the same blocks and series.
        number = self._past.archive.number << 20 | len(self._blocks)
        return -1 - (self._memory.generation << 64 | number)

    def reaching(self, start: Timestamp) -> Querier:
        if start >= self._start:
            return self
        return self._past.reaching(self._memory, start)

    def newest_times(self, refs: Refs) -> Times | None:
        """Tell nothing: samples may still come in before the newest ones."""
        del refs
        return None

    def lattices(self, refs: Refs, ends: Times, width: Duration) -> Sequence[tuple[Refs, Lattice]]:
        """Tell of none: what reaches into blocks is put together sample by sample."""
        del refs, ends, width
        return ()

    def select(self, matchers: Sequence[Matcher]) -> Refs:
        found = self._memory.select(matchers)
        known = Directory(self._identities(found))
        strangers, before = [np.zeros(0, dtype=np.int64)], None
        for block in self._blocks:
            rows = block.index.select(matchers)
            identities = block.identities.take(rows)
            if before is not None and before.same(identities):
                continue
            before = identities
            unknown = known.find(identities) < 0
            strangers.append(self._strangers.numbers(block, rows[unknown]))
        return np.concatenate((found, np.unique(np.concatenate(strangers))))

    def labels(self, refs: Refs) -> Sequence[Labels]:
        known = refs < STRANGERS
        if known.all():
            return self._memory.labels(refs)
        ours = iter(self._memory.labels(refs[known]))
        others = iter(self._strangers.labels(refs[~known]))
        return [next(ours) if mine else next(others) for mine in known.tolist()]

    def label_names(self) -> Sequence[str]:
        names = set(self._memory.label_names())
        return sorted(names.union(*(block.index.names for block in self._blocks)))

    def label_values(self, name: str) -> Sequence[str]:
        values = set(self._memory.label_values(name))
        return sorted(values.union(*(block.index.values(name) for block in self._blocks)))

    def histograms(self, refs: Refs) -> HistogramLookup | None:
        ours = self._memory.histograms(refs[refs < STRANGERS])
        if ours is None and not any(block.meta.histograms for block in self._blocks):
            return None
        return _LongLookup(ours, self._past.archive)

    def instants(self, refs: Refs, times: Times, lookback: Duration) -> Instants:
        times = np.asarray(times, dtype=np.int64)
        if not len(times) or not len(refs):
            return runs.nowhere(len(refs), len(times))
        start, end = int(times.min()) - lookback, int(times.max())

        def answer(some: Refs) -> Instants:
            return runs.newest(self._samples(some, start, end), times, lookback)

        return self._by_groups(refs, end - start, answer)

    def counters(self, refs: Refs, ends: Times, width: Duration) -> CounterWindows:
        ends = np.asarray(ends, dtype=np.int64)
        if not len(ends) or not len(refs):
            return runs.no_course(len(refs), len(ends))
        start, end = int(ends.min()) - width, int(ends.max())

        def answer(some: Refs) -> CounterWindows:
            return runs.course(runs.without_stale(self._samples(some, start, end)), ends, width)

        return self._by_groups(refs, end - start, answer)

    def window(self, refs: Refs, start: Timestamp, end: Timestamp) -> Window:
        unique, places = rising_only(refs)
        found = runs.without_stale(self._samples(unique, start, end))
        if places is not None:
            found = runs.cut(found, places, np.ones(len(places), dtype=np.bool_))
        return Window(found.values, found.times, found.offsets)

    def _by_groups(self, refs: Refs, width: Duration, answer: Callable[[Refs], _Table]) -> _Table:
        """Answer for some series at a time, so that few samples are held at once."""
        unique, places = rising_only(refs)
        tables = [answer(unique[part]) for part in groups(len(unique), self._fitting(width))]
        whole = tables[0]
        if len(tables) > 1:
            columns = zip(*([getattr(t, f.name) for f in fields(t)] for t in tables), strict=True)
            whole = type(whole)(*(np.concatenate(parts) for parts in columns))
        return whole if places is None else runs.pick(whole, places)

    def _fitting(self, width: Duration) -> int:
        """Return for how many series the samples of a range are about as many as may be held."""
        most = max(
            (block.meta.samples / block.meta.series / block.meta.width for block in self._blocks),
            default=0.0,
        )
        return int(_GROUP_SAMPLES / max(most * width, 1.0)) + 1

    def _samples(self, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return all samples of `refs`, which rise, within (start, end], markers too."""
        past = self._past
        start, end = max(start, -FURTHEST - 1), min(end, FURTHEST)
        if end <= start:
            return runs.nothing(len(refs))
        parts = [
            self._of_block(block, refs, start, end)
            for block in self._blocks
            if block.meta.max_time > start + 1 and block.meta.min_time <= end
        ]
        ours = refs < STRANGERS
        known = refs[ours]
        if len(known):
            late = [
                view.read(known, start, min(end, past.floor - 1))
                for view in past.late
                if start < past.floor - 1
            ]
            recent = self._memory.history(known, max(start, past.served - 1), end)
            parts += [runs.spread(each, ours) for each in (*late, recent)]
        return joined(len(refs), parts)

    def _of_block(self, block: Block, refs: Refs, start: Timestamp, end: Timestamp) -> Samples:
        """Return what a block has of `refs`; nothing where it cannot be read."""
        try:
            rows = block.find(self._identities(refs))
            here = rows >= 0
            present = rows[here]
            order = None
            if not (present[1:] > present[:-1]).all():
                order = np.argsort(present)
                present = present[order]
            found = block.read(present, start, end)
        except (Corrupt, OSError) as error:
            self._past.report(block, error)
            return runs.nothing(len(refs))
        if order is not None:
            places = np.empty_like(order)
            places[order] = np.arange(len(order))
            found = runs.cut(found, places, np.ones(len(places), dtype=np.bool_))
        if block.meta.histograms:
            found = self._tagged(block, found)
        return runs.spread(found, here)

    def _tagged(self, block: Block, samples: Samples) -> Samples:
        """Say in the markers of histograms which block they are from."""
        marked = is_marker(samples.values)
        if not marked.any():
            return samples
        ordinal = self._past.archive.blocks.index(block) + 1
        values = samples.values.copy()
        values[marked] = markers(numbers(values[marked]) | ordinal << _OWN_BITS)
        return Samples(values, samples.times, samples.offsets)

    def _identities(self, refs: Refs) -> Identities:
        bound = int(np.searchsorted(refs, STRANGERS))
        ours = self._past.identities.of(refs[:bound], self._memory.labels)
        if bound == len(refs):
            return ours
        others = self._strangers.identities(refs[bound:])
        return Identities(
            np.concatenate((ours.high, others.high)), np.concatenate((ours.low, others.low))
        )


class _LongLookup:
    """Resolves markers of the head and of blocks."""

    def __init__(self, ours: HistogramLookup | None, archive: Archive) -> None:
        self._ours = ours
        self._archive = archive

    def resolve(self, values: Values) -> tuple[Histograms, Mask]:
        marked = is_marker(values)
        ordinals = np.where(marked, numbers(values) >> _OWN_BITS, 0)
        found = np.full(values.shape, None, dtype=np.object_)
        lost = marked & (ordinals == 0)
        if self._ours is not None and lost.any():
            found, lost = self._ours.resolve(np.where(ordinals == 0, values, 0.0))
        for ordinal in np.unique(ordinals[ordinals > 0]).tolist():
            here = ordinals == ordinal
            own = numbers(values[here]) & ((1 << _OWN_BITS) - 1)
            decoded = self._of_block(self._archive.blocks[ordinal - 1], own)
            found[here] = decoded
            lost[here] = [one is None for one in decoded]
        return found, lost

    @staticmethod
    def _of_block(block: Block, own: Refs) -> Histograms:
        unique, places = np.unique(own, return_inverse=True)
        decoded = np.full(len(unique), None, dtype=np.object_)
        try:
            for place, encoded in enumerate(block.histograms(unique.tolist())):
                decoded[place] = decode(encoded) if encoded else None
        except (Corrupt, OSError, ValueError) as error:
            log.warning("histograms cannot be read", block=block.meta.name, error=str(error))
        return decoded[places]
