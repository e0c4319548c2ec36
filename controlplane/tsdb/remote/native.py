"""Native histograms as remote write carries them; the message is the same in both versions."""

from collections.abc import Iterable

import numpy as np

from controlplane.clock import Timestamp
from controlplane.model.histogram import Buckets, FloatHistogram
from controlplane.model.samples import Values
from controlplane.tsdb.remote.protobuf import double, field, varint, whole

# Up to here all whole numbers are exact.
_EXACT = 2.0**53
# Fields of spans, of differences and of counts, by the side.
_NEGATIVE = (8, 9, 10)
_POSITIVE = (11, 12, 13)


def histogram(sample: FloatHistogram, time: Timestamp) -> bytes:
    """Return a `Histogram` message: of whole numbers where all counts are whole."""
    counted = _counts(sample)
    exact = bool((counted == np.trunc(counted)).all() and (np.abs(counted) <= _EXACT).all())
    head = (
        _number(1, 2, sample.count, exact=exact)
        + double(3, sample.sum)
        + whole(4, _zigzag(sample.schema))
        + double(5, sample.zero_threshold)
        + _number(6, 7, sample.zero_count, exact=exact)
    )
    sides = _side(sample.negative, _NEGATIVE, exact=exact)
    sides += _side(sample.positive, _POSITIVE, exact=exact)
    tail = whole(14, sample.hint) + whole(15, time)
    custom = field(16, _doubles(sample.custom_values)) if sample.custom_values else b""
    return head + sides + tail + custom


def _counts(sample: FloatHistogram) -> Values:
    single = [sample.count, sample.zero_count]
    return np.concatenate((single, sample.positive.counts, sample.negative.counts))


def _number(exactly: int, roughly: int, count: float, *, exact: bool) -> bytes:
    return whole(exactly, int(count)) if exact else double(roughly, count)


def _side(side: Buckets, fields: tuple[int, int, int], *, exact: bool) -> bytes:
    if not len(side):
        return b""
    spans, deltas, counts = fields
    laid = b"".join(
        field(spans, whole(1, _zigzag(offset)) + whole(2, length))
        for offset, length in side.spans()
    )
    if not exact:
        return laid + field(counts, _doubles(side.counts))
    steps = np.diff(side.counts, prepend=0.0).astype(np.int64).tolist()
    return laid + field(deltas, b"".join(varint(_zigzag(step)) for step in steps))


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _doubles(values: Iterable[float] | Values) -> bytes:
    return np.asarray(values, dtype="<f8").tobytes()
