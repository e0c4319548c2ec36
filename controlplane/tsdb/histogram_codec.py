"""One native histogram as bytes: spans, and whole counts as differences.

Head: flags (u8), schema (i8), how differences are written (u8), then how many spans there are on
each side and how many custom bounds (u16 each), then sum, count, zero threshold and zero count
(f64 each). Flags are the hint (two bits), whether counts are whole (4), what was detected (two
bits from 16 on). Behind the head: offset and length of each span (i32), custom bounds (f64), and
for each side its counts. Whole ones are the first (i64) and the differences of the others to
the one before, as short as the largest allows; others are f64.
"""

import struct
from functools import lru_cache
from typing import Final

import numpy as np

from controlplane.model.histogram import (
    NO_BUCKETS,
    Buckets,
    CounterResetHint,
    FloatHistogram,
)
from controlplane.model.samples import Refs, Values

_HEAD: Final = struct.Struct("<BbBHHHdddd")
_FIRST: Final = struct.Struct("<q")
_WHOLE: Final = 4
_DETECTED: Final = 4
_WIDTHS: Final = ("<i1", "<i2", "<i4", "<i8")
# Up to here all whole numbers are exact.
_EXACT: Final = 2.0**53
# Layouts that many samples share are made once, and are then the same objects.
_REMEMBERED: Final = 4096


def encode(histogram: FloatHistogram) -> bytes:
    """Return a histogram as bytes."""
    sides = (histogram.positive, histogram.negative)
    whole = all(_is_whole(side.counts) for side in sides)
    spans = [_spans(side.indices.tobytes()) for side in sides]
    differences: list[Refs] = []
    if whole:
        differences = [_differences(side.counts) for side in sides]
    width = _width(differences)
    flags = histogram.hint | histogram.detected << _DETECTED | (_WHOLE if whole else 0)
    parts = [
        _HEAD.pack(
            flags,
            histogram.schema,
            width,
            len(spans[0]) // 8,
            len(spans[1]) // 8,
            len(histogram.custom_values),
            histogram.sum,
            histogram.count,
            histogram.zero_threshold,
            histogram.zero_count,
        ),
        *spans,
        np.array(histogram.custom_values, dtype="<f8").tobytes(),
    ]
    for place, side in enumerate(sides):
        if not len(side):
            continue
        if whole:
            parts.append(_FIRST.pack(int(side.counts[0])))
            parts.append(differences[place].astype(_WIDTHS[width]).tobytes())
        else:
            parts.append(side.counts.astype("<f8").tobytes())
    return b"".join(parts)


def decode(data: bytes) -> FloatHistogram:
    """Return the histogram that `encode` wrote. Raises ValueError when it makes no sense."""
    try:
        return _decode(data)
    except (IndexError, struct.error, ValueError) as error:
        raise ValueError(f"bad histogram: {error}") from None


def _decode(data: bytes) -> FloatHistogram:
    flags, schema, width, positives, negatives, bounds, *numbers = _HEAD.unpack_from(data)
    observed, count, threshold, zero_count = numbers
    at = _HEAD.size
    layouts = []
    for spans in (positives, negatives):
        layouts.append(_indices(data[at : at + 8 * spans]))
        at += 8 * spans
    custom = _bounds(data[at : at + 8 * bounds])
    at += 8 * bounds
    sides = []
    for indices in layouts:
        side, at = _side(data, at, indices, _WIDTHS[width] if flags & _WHOLE else "")
        sides.append(side)
    if at != len(data):
        raise ValueError("of the wrong length")
    return FloatHistogram(
        schema=schema,
        count=count,
        sum=observed,
        zero_threshold=threshold,
        zero_count=zero_count,
        positive=sides[0],
        negative=sides[1],
        custom_values=custom,
        hint=_HINTS[flags & 3],
        detected=_HINTS[flags >> _DETECTED & 3],
    )


_HINTS: Final = tuple(CounterResetHint)


def _side(data: bytes, at: int, indices: Refs, width: str) -> tuple[Buckets, int]:
    """Return the buckets of a side, and where its counts end; they are whole if `width` is."""
    size = len(indices)
    if not size:
        return NO_BUCKETS, at
    if not width:
        return Buckets(indices, np.frombuffer(data, "<f8", size, at)), at + 8 * size
    counts = np.empty(size)
    counts[0] = _FIRST.unpack_from(data, at)[0]
    at += 8
    if size > 1:
        counts[1:] = np.frombuffer(data, width, size - 1, at)
        np.cumsum(counts, out=counts)
        at += int(width[2]) * (size - 1)
    return Buckets(indices, counts), at


def _is_whole(counts: Values) -> bool:
    return bool((np.abs(counts) <= _EXACT).all() and (counts == np.trunc(counts)).all())


def _differences(counts: Values) -> Refs:
    whole = counts.astype(np.int64)
    return whole[1:] - whole[:-1]


def _width(differences: list[Refs]) -> int:
    """Return which of `_WIDTHS` holds all differences."""
    largest = max((int(np.abs(each).max(initial=0)) for each in differences), default=0)
    return next(place for place in range(4) if largest < 1 << (8 * 2**place - 1))


@lru_cache(maxsize=_REMEMBERED)
def _spans(indices: bytes) -> bytes:
    buckets = Buckets(np.frombuffer(indices, dtype=np.int64), np.empty(0))
    return np.array(buckets.spans(), dtype="<i4").tobytes()


@lru_cache(maxsize=_REMEMBERED)
def _indices(spans: bytes) -> Refs:
    found: list[int] = []
    reached = 0
    for offset, length in np.frombuffer(spans, dtype="<i4").reshape(-1, 2).tolist():
        found.extend(range(reached + offset, reached + offset + length))
        reached += offset + length
    indices = np.array(found, dtype=np.int64)
    indices.flags.writeable = False
    return indices


@lru_cache(maxsize=_REMEMBERED)
def _bounds(packed: bytes) -> tuple[float, ...]:
    """Return custom bounds; all samples of a series share one tuple."""
    return tuple(np.frombuffer(packed, dtype="<f8").tolist())
