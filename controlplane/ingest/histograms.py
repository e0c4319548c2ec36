"""Native histograms among what is taken in.

While a request is sifted, a histogram's value is a marker with a digest of its
content: the same histogram sent again is then the same sample, as it is with
floats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from controlplane.clock import Timestamp
from controlplane.ingest.wire import decode
from controlplane.model.histogram import (
    HIGHEST_SCHEMA,
    Buckets,
    CounterResetHint,
    FloatHistogram,
    buckets_in,
    validate,
)
from controlplane.model.histogram_layout import at_schema
from controlplane.model.samples import Values, is_stale
from controlplane.tsdb.histogram_codec import encode
from controlplane.tsdb.histograms import is_marker, markers, numbers, unmarked
from controlplane.tsdb.ports import HistogramLookup

# Finer schemas than ours are known; they are merged to the finest of ours.
_FINEST_KNOWN: Final = 52

ByDigest = Mapping[int, FloatHistogram]


def read_histogram(encoded: bytes) -> tuple[Timestamp, FloatHistogram | None]:
    """Return instant and content of a message `Histogram` of either version.

    None is a staleness marker. Raises InvalidInput.
    """
    message = decode("Histogram", encoded)
    if bool(is_stale(np.array([message.sum]))[0]):
        return message.timestamp, None
    histogram = FloatHistogram(
        schema=message.schema,
        count=float(message.count_int) + message.count_float,
        sum=message.sum,
        zero_threshold=message.zero_threshold,
        zero_count=float(message.zero_count_int) + message.zero_count_float,
        positive=_side(message.positive_spans, message.positive_deltas, message.positive_counts),
        negative=_side(message.negative_spans, message.negative_deltas, message.negative_counts),
        custom_values=tuple(message.custom_values),
        hint=_hint(message.reset_hint),
    )
    return message.timestamp, checked(histogram)


def checked(histogram: FloatHistogram) -> FloatHistogram:
    """Return a histogram in a schema of ours. Raises InvalidInput."""
    if HIGHEST_SCHEMA < histogram.schema <= _FINEST_KNOWN:
        histogram = at_schema(histogram, HIGHEST_SCHEMA)
    validate(histogram)
    return histogram


def _side(spans: Sequence[Any], deltas: Sequence[int], counts: Sequence[float]) -> Buckets:
    values = np.cumsum(np.array(deltas, dtype=np.int64)) if len(deltas) else counts
    return buckets_in([(span.offset, span.length) for span in spans], list(values))


def _hint(number: int) -> CounterResetHint:
    """Return the hint that counts: what a sender says of resets is found out anew."""
    gauge = number == CounterResetHint.GAUGE
    return CounterResetHint.GAUGE if gauge else CounterResetHint.UNKNOWN


def digested(
    values: Values, histograms: Mapping[int, FloatHistogram]
) -> tuple[Values, dict[int, FloatHistogram]]:
    """Return values with digests in the places of histograms, and these by their digests."""
    values = unmarked(values)
    if not histograms:
        return values, {}
    digests = {place: _digest(histogram) for place, histogram in histograms.items()}
    marked = values.copy()
    marked[list(digests)] = markers(np.array(list(digests.values()), dtype=np.int64))
    return marked, {digests[place]: histogram for place, histogram in histograms.items()}


def stored_digests(values: Values, lookup: HistogramLookup) -> Values:
    """Return values of the store's with digests in the places of histograms."""
    found, _ = lookup.resolve(values)
    places = np.flatnonzero(found.astype(np.bool_)).tolist()
    return digested(values, {place: found[place] for place in places})[0]


def histograms_of(values: Values, by_digest: ByDigest) -> list[FloatHistogram | None] | None:
    """Return the histograms that values stand for, None when there are none."""
    if not by_digest:
        return None
    marked = is_marker(values).tolist()
    found = numbers(values).tolist()
    return [
        by_digest.get(number) if is_histogram else None
        for number, is_histogram in zip(found, marked, strict=True)
    ]


def _digest(histogram: FloatHistogram) -> int:
    unknown = CounterResetHint.UNKNOWN
    gauge = histogram.hint is CounterResetHint.GAUGE
    plain = replace(histogram, hint=histogram.hint if gauge else unknown, detected=unknown)
    return int.from_bytes(blake2b(encode(plain), digest_size=6).digest(), "little")
