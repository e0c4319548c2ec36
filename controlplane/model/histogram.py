"""Native histograms: one sample with all its buckets.

A bucket has an index within its schema. Exponential schemas (-4 to 8) divide
each power of two into 2^schema buckets; a lower schema is a coarser one. With
custom buckets (schema -53) the bounds are given. Counts are float64: that is
exact for whole numbers up to 2^53, beyond which no real counter goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.errors import InvalidInput
from controlplane.model.samples import Refs, Values

CUSTOM_BUCKETS: Final = -53
LOWEST_SCHEMA: Final = -4
HIGHEST_SCHEMA: Final = 8

# FloatHistogram, or None where the sample is a float or there is none.
Histograms = npt.NDArray[np.object_]

# How far the next run of buckets lies behind the one before, and its length.
Span = tuple[int, int]


class CounterResetHint(IntEnum):
    """What is known of a counter reset right before this sample."""

    UNKNOWN = 0
    RESET = 1
    NOT_RESET = 2
    GAUGE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Rising indices with their counts, (b,) each; buckets not listed are empty."""

    indices: Refs
    counts: Values

    def __len__(self) -> int:
        return len(self.indices)

    def same(self, other: "Buckets") -> bool:
        """Tell whether layout and counts are the same, bit by bit."""
        return np.array_equal(self.indices, other.indices) and (
            self.counts.tobytes() == other.counts.tobytes()
        )

    def compact(self) -> "Buckets":
        """Return the buckets without those listed that are empty."""
        filled = self.counts != 0
        if filled.all():
            return self
        return Buckets(self.indices[filled], self.counts[filled])

    def scaled(self, counts: Values) -> "Buckets":
        """Return the same layout with other counts."""
        return Buckets(self.indices, counts)

    def spans(self) -> list[Span]:
        """Return the layout as runs: the first offset counts from index 0."""
        if not len(self.indices):
            return []
        begins = np.flatnonzero(np.r_[True, np.diff(self.indices) > 1])
        ends = np.r_[begins[1:], len(self.indices)]
        spans: list[Span] = []
        reached = 0
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            first = int(self.indices[begin])
            spans.append((first - reached, end - begin))
            reached = first + end - begin
        return spans


def buckets_at(indices: Sequence[int] | Refs, counts: Sequence[float] | Values) -> Buckets:
    """Return buckets of rising indices."""
    return Buckets(np.asarray(indices, dtype=np.int64), np.asarray(counts, dtype=np.float64))


def buckets_in(spans: Iterable[Span], counts: Sequence[float] | Values) -> Buckets:
    """Return buckets laid out in spans. Raises InvalidInput when they do not fit."""
    indices = list(_indices(spans, len(counts)))
    if len(indices) != len(counts):
        raise InvalidInput(f"spans need {len(indices)} buckets, have {len(counts)} buckets")
    return buckets_at(indices, counts)


def _indices(spans: Iterable[Span], most: int) -> Iterator[int]:
    at = total = 0
    for number, (offset, length) in enumerate(spans):
        if number and offset < 0:
            raise InvalidInput(f"span number {number + 1} has a negative offset: {offset}")
        total += length
        if total > most:
            raise InvalidInput(f"spans need {total} buckets or more, have {most} buckets")
        at += offset
        yield from range(at, at + length)
        at += length


NO_BUCKETS: Final = Buckets(np.zeros(0, dtype=np.int64), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class FloatHistogram:
    """One histogram sample.

    The zero bucket reaches `zero_threshold` to either side of 0. The indices of
    `negative` count away from zero as those of `positive` do. `custom_values`
    are the upper bounds of custom buckets, rising, without +Inf; the zero
    bucket and negative buckets are then unused. `hint` is what may be relied
    on wherever the sample goes; `detected` is what the store found when it
    compared the sample with the one before it.
    """

    schema: int = 0
    count: float = 0.0
    sum: float = 0.0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive: Buckets = NO_BUCKETS
    negative: Buckets = NO_BUCKETS
    custom_values: tuple[float, ...] = ()
    hint: CounterResetHint = CounterResetHint.UNKNOWN
    detected: CounterResetHint = CounterResetHint.UNKNOWN

    @property
    def is_custom(self) -> bool:
        return self.schema == CUSTOM_BUCKETS

    def same(self, other: "FloatHistogram") -> bool:
        """Tell whether the data are the same, bit by bit; hints do not count."""
        numbers = (self.count, self.sum, self.zero_count)
        others = (other.count, other.sum, other.zero_count)
        return (
            self.schema == other.schema
            and self.zero_threshold == other.zero_threshold
            and self.custom_values == other.custom_values
            and np.array(numbers).tobytes() == np.array(others).tobytes()
            and self.positive.same(other.positive)
            and self.negative.same(other.negative)
        )

    def hinted(self, hint: CounterResetHint) -> "FloatHistogram":
        """Return the sample with another hint."""
        return self if self.hint is hint else replace(self, hint=hint)

    def statistics(self) -> "FloatHistogram":
        """Return count and sum alone, with all that is known of a reset."""
        unknown = self.hint is CounterResetHint.UNKNOWN
        hint = self.detected if unknown else self.hint
        return FloatHistogram(schema=self.schema, count=self.count, sum=self.sum, hint=hint)

    def compact(self) -> "FloatHistogram":
        """Return the sample without buckets that are listed but empty."""
        positive, negative = self.positive.compact(), self.negative.compact()
        if positive is self.positive and negative is self.negative:
            return self
        return replace(self, positive=positive, negative=negative)


def validate(histogram: FloatHistogram) -> None:
    """Raise InvalidInput for a sample that no instrumented program sends."""
    if histogram.is_custom:
        _validate_custom(histogram)
    elif not LOWEST_SCHEMA <= histogram.schema <= HIGHEST_SCHEMA:
        raise InvalidInput(
            f"histogram has an invalid schema, which must be between {LOWEST_SCHEMA} and "
            f"{HIGHEST_SCHEMA} for exponential buckets, or {CUSTOM_BUCKETS} for custom buckets, "
            f"got schema {histogram.schema}"
        )
    elif histogram.custom_values:
        raise InvalidInput("histogram with exponential schema must not have custom bounds")
    counts = (histogram.count, histogram.zero_count)
    if any(count < 0 for count in counts) or any(
        (side.counts < 0).any() for side in (histogram.positive, histogram.negative)
    ):
        raise InvalidInput("histogram has a negative number of observations")


def _validate_custom(histogram: FloatHistogram) -> None:
    bounds = np.array(histogram.custom_values)
    if not np.isfinite(bounds[-1:]).all() or np.isnan(bounds).any():
        raise InvalidInput("histogram custom bounds must be finite")
    if not (bounds[1:] > bounds[:-1]).all():
        raise InvalidInput("histogram custom bounds must be in strictly increasing order")
    if histogram.zero_count or histogram.zero_threshold or len(histogram.negative):
        raise InvalidInput("custom buckets: must have neither zero bucket nor negative buckets")
    indices = histogram.positive.indices
    if len(indices) and (indices[0] < 0 or indices[-1] > len(bounds)):
        raise InvalidInput("histogram custom bounds are too few")
