"""Which samples of a batch may enter: the rules of Prometheus, for all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.samples import Mask, Refs, Times, Values
from controlplane.tsdb.ports import Write

# Instants beyond the year 4000, either way, are mistakes; no sum of two overflows.
FURTHEST: Final[Timestamp] = 2**46
# The newest instant of a series that has no sample.
NEVER: Final[Timestamp] = -(2**62)
# What `Write.times` is when it is one instant for all.
_INSTANTS: Final = frozenset((int, np.int64))


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples in columns, (n,) each; after sifting sorted by series, then time."""

    refs: Refs
    times: Times
    values: Values

    def __len__(self) -> int:
        return len(self.refs)

    def take(self, chosen: Mask | Refs) -> "Batch":
        return Batch(self.refs[chosen], self.times[chosen], self.values[chosen])


@dataclass(frozen=True, slots=True)
class Sifted:
    """What may enter, and how many may not, by reason."""

    batch: Batch
    rejected: dict[str, int]


def gather(writes: Sequence[Write]) -> Batch:
    """Put writes together in the order in which they came."""
    sizes = [len(write.refs) for write in writes]
    if {type(write.times) for write in writes} <= _INSTANTS:
        times = np.repeat(np.array([write.times for write in writes], dtype=np.int64), sizes)
    else:
        times = np.concatenate(
            [
                np.broadcast_to(np.asarray(write.times, dtype=np.int64), size)
                for write, size in zip(writes, sizes, strict=True)
            ]
        )
    if len(writes) == 1:
        refs, values = np.asarray(writes[0].refs), np.asarray(writes[0].values)
    else:
        refs = np.concatenate([write.refs for write in writes])
        values = np.concatenate([write.values for write in writes])
    return Batch(refs.astype(np.int64, copy=False), times, values.astype(np.float64, copy=False))


def sift(
    batch: Batch, *, alive: Mask, last_times: Times, last_values: Values, cutoff: Timestamp
) -> Sifted:
    """Take from a batch what may enter, given the newest sample of each series.

    Refused are samples of no series (-1: over the limit; else unknown), out of
    all bounds of time, before `cutoff`, older than the series' newest, or at
    its time with another value. The same sample again is no error and no
    sample. NaNs are told apart by their bits.
    """
    rejected: dict[str, int] = {}
    batch = _known(batch, alive, rejected)
    batch = _in_time(batch, cutoff, rejected)
    if len(batch) > 1 and not (batch.refs[1:] > batch.refs[:-1]).all():
        batch = batch.take(np.argsort(batch.refs, kind="stable"))
    if not len(batch):
        return Sifted(batch, rejected)
    first = np.concatenate(([True], batch.refs[1:] != batch.refs[:-1]))
    before = np.where(first, last_times[batch.refs], np.concatenate(([0], batch.times[:-1])))
    if (batch.times > before).all():
        return Sifted(batch, rejected)
    return Sifted(_in_order(batch, first, last_times, last_values, rejected), rejected)


def _known(batch: Batch, alive: Mask, rejected: dict[str, int]) -> Batch:
    refs = batch.refs
    if len(refs) and refs.min() >= 0 and refs.max() < len(alive) and alive[refs].all():
        return batch
    inside = (refs >= 0) & (refs < len(alive))
    known = inside.copy()
    known[inside] = alive[refs[inside]]
    limited = int(np.count_nonzero(refs == -1))
    _count(rejected, "series_limit", limited)
    _count(rejected, "unknown_series", int(np.count_nonzero(~known)) - limited)
    return batch.take(known)


def _in_time(batch: Batch, cutoff: Timestamp, rejected: dict[str, int]) -> Batch:
    times = batch.times
    if not len(times) or (times.min() >= max(cutoff, -FURTHEST) and times.max() <= FURTHEST):
        return batch
    bounded = np.abs(times) <= FURTHEST
    fresh = times >= cutoff
    _count(rejected, "out_of_bounds", int(np.count_nonzero(~bounded)))
    _count(rejected, "too_old", int(np.count_nonzero(bounded & ~fresh)))
    return batch.take(bounded & fresh)


def _in_order(
    batch: Batch, first: Mask, last_times: Times, last_values: Values, rejected: dict[str, int]
) -> Batch:
    """Take the samples newer than all before them of their series.

    The running maximum within each series is one `maximum.accumulate`: times
    become ranks, and each series' ranks are lifted above those of the one
    before it.
    """
    known = last_times[batch.refs]
    ranks = np.unique(np.concatenate((batch.times, known)), return_inverse=True)[1]
    rank, known_rank = ranks[: len(batch)], ranks[len(batch) :]
    lift = (np.cumsum(first) - 1) * (len(ranks) + 1)
    reached = np.maximum.accumulate(np.maximum(rank, known_rank) + lift) - lift
    before = np.where(first, known_rank, np.concatenate(([0], reached[:-1])))
    fresh = rank > before
    if not fresh.all():
        again = ~fresh & (rank == before)
        same = again & (_bits(batch.values) == _bits(_reigning(batch, first, fresh, last_values)))
        _count(rejected, "duplicate", int(np.count_nonzero(again & ~same)))
        _count(rejected, "out_of_order", int(np.count_nonzero(~fresh & ~again)))
    return batch.take(fresh)


def _reigning(batch: Batch, first: Mask, fresh: Mask, last_values: Values) -> Values:
    """Return, for each sample, the newest value that its series has up to there."""
    places = np.arange(len(batch))
    begin = np.maximum.accumulate(np.where(first, places, 0))
    holder = np.maximum.accumulate(np.where(fresh, places, -1))
    values: Values = np.where(
        holder >= begin, batch.values[np.maximum(holder, 0)], last_values[batch.refs]
    )
    return values


def _bits(values: Values) -> Refs:
    return np.ascontiguousarray(values).view(np.int64)


def _count(rejected: dict[str, int], reason: str, number: int) -> None:
    if number:
        rejected[reason] = rejected.get(reason, 0) + number
