"""One native histogram as bytes: spans, and whole counts as differences.

Head (u8): hint in two bits, whether counts are whole (4) and bounds custom (8), what was
detected in two bits; schema
(i8), sum (f64), then either custom bounds (count, f64 each) or zero threshold (f64) and zero
count; then the count; then for each side the number of spans, their offsets and lengths, and
its counts. Whole numbers are varints, those that may be negative zigzagged; counts of buckets
are differences to the bucket before. Counts that are not whole are f64.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np

from controlplane.model.histogram import (
    CUSTOM_BUCKETS,
    NO_BUCKETS,
    Buckets,
    CounterResetHint,
    FloatHistogram,
)
from controlplane.model.samples import Values

_HEAD: Final = struct.Struct("<Bbd")
_FLOAT: Final = struct.Struct("<d")
_WHOLE: Final = 4
_CUSTOM: Final = 8
_DETECTED: Final = 4
# Up to here all whole numbers are exact.
_EXACT: Final = 2.0**53


def encode(histogram: FloatHistogram) -> bytes:
    """Return a histogram as bytes."""
    whole = _is_whole(histogram)
    flags = histogram.hint | histogram.detected << _DETECTED
    flags |= (_WHOLE if whole else 0) | (_CUSTOM if histogram.is_custom else 0)
    out = bytearray(_HEAD.pack(flags, histogram.schema, histogram.sum))
    if histogram.is_custom:
        _put(out, len(histogram.custom_values))
        out += np.array(histogram.custom_values, dtype="<f8").tobytes()
    else:
        out += _FLOAT.pack(histogram.zero_threshold)
        _put_counts(out, np.array([histogram.zero_count]), whole=whole)
    _put_counts(out, np.array([histogram.count]), whole=whole)
    _put_side(out, histogram.positive, whole=whole)
    if not histogram.is_custom:
        _put_side(out, histogram.negative, whole=whole)
    return bytes(out)


def decode(data: bytes) -> FloatHistogram:
    """Return the histogram that `encode` wrote. Raises ValueError when it makes no sense."""
    try:
        return _decode(_Reader(data))
    except (IndexError, struct.error) as error:
        raise ValueError(f"bad histogram: {error}") from None


def _decode(source: "_Reader") -> FloatHistogram:
    flags, schema, observed = _HEAD.unpack(source.take(_HEAD.size))
    whole, custom = bool(flags & _WHOLE), bool(flags & _CUSTOM)
    bounds: tuple[float, ...] = ()
    threshold = zero_count = 0.0
    if custom:
        bounds = _interned(bytes(source.take(8 * source.number())))
    else:
        (threshold,) = _FLOAT.unpack(source.take(8))
        zero_count = float(source.counts(1, whole=whole)[0])
    count = float(source.counts(1, whole=whole)[0])
    return FloatHistogram(
        schema=CUSTOM_BUCKETS if custom else schema,
        count=count,
        sum=observed,
        zero_threshold=threshold,
        zero_count=zero_count,
        positive=source.side(whole=whole),
        negative=NO_BUCKETS if custom else source.side(whole=whole),
        custom_values=bounds,
        hint=CounterResetHint(flags & 3),
        detected=CounterResetHint(flags >> _DETECTED & 3),
    )


@lru_cache(maxsize=1024)
def _interned(packed: bytes) -> tuple[float, ...]:
    """Return custom bounds; all samples of a series share one tuple."""
    return tuple(np.frombuffer(packed, dtype="<f8").tolist())


def _is_whole(histogram: FloatHistogram) -> bool:
    numbers = np.concatenate(
        (
            [histogram.count, histogram.zero_count],
            histogram.positive.counts,
            histogram.negative.counts,
        )
    )
    return bool((np.abs(numbers) <= _EXACT).all() and (numbers == np.trunc(numbers)).all())


def _put_side(out: bytearray, side: Buckets, *, whole: bool) -> None:
    spans = side.spans()
    _put(out, len(spans))
    for offset, length in spans:
        _put(out, _zigzag(offset))
        _put(out, length)
    _put_counts(out, side.counts, whole=whole)


def _put_counts(out: bytearray, counts: Values, *, whole: bool) -> None:
    if not whole:
        out += counts.astype("<f8").tobytes()
        return
    before = 0
    for count in counts.astype(np.int64).tolist():
        _put(out, _zigzag(count - before))
        before = count


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


class _Reader:
    """Reads from the front of bytes."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise IndexError("too short")
        return self._data[begin : self._at]

    def number(self) -> int:
        result = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def signed(self) -> int:
        number = self.number()
        return number >> 1 if not number & 1 else -((number + 1) >> 1)

    def counts(self, size: int, *, whole: bool) -> Values:
        if not whole:
            return np.frombuffer(self.take(8 * size), dtype="<f8").astype(np.float64)
        return np.array(list(self._running(size)), dtype=np.float64)

    def _running(self, size: int) -> Iterator[int]:
        count = 0
        for _ in range(size):
            count += self.signed()
            yield count

    def side(self, *, whole: bool) -> Buckets:
        spans = [(self.signed(), self.number()) for _ in range(self.number())]
        indices: list[int] = []
        reached = 0
        for offset, length in spans:
            indices.extend(range(reached + offset, reached + offset + length))
            reached += offset + length
        if not indices:
            return NO_BUCKETS
        return Buckets(np.array(indices, dtype=np.int64), self.counts(len(indices), whole=whole))
