"""Encoded samples into columns: all of one layout at once.

A sample is a double (tag 0x09, little-endian) and a varint of milliseconds
(tag 0x10). From 2004 to 2109 that varint has six bytes, so nearly all samples
have one of two layouts, 16 bytes or, as zeros are left out, 7. Any other one
is decoded by protobuf. Values keep their bits: a staleness marker is a NaN.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.ingest.wire import decode
from controlplane.model.samples import Mask, Refs, Times, Values

_VALUE_TAG: Final = 0x09
_TIME_TAG: Final = 0x10
_TIME_BYTES: Final = 6
# The layouts: size of the whole, where the time's tag stands.
_FULL: Final = (16, 9)
_ZERO: Final = (7, 0)

Bytes = npt.NDArray[np.uint8]


def sample_columns(encoded: Sequence[bytes]) -> tuple[Times, Values]:
    """Return instants and values, (n,) each. Raises InvalidInput."""
    sizes = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    begins = np.cumsum(sizes) - sizes
    times = np.zeros(len(encoded), dtype=np.int64)
    values = np.zeros(len(encoded), dtype=np.float64)
    left = np.ones(len(encoded), dtype=np.bool_)
    for size, tag_place in (_FULL, _ZERO):
        rows = np.flatnonzero(sizes == size)
        block = data[begins[rows, None] + np.arange(size)]
        plain = _is_plain(block, tag_place)
        rows, block = rows[plain], block[plain]
        times[rows] = _varints(block[:, tag_place + 1 :])
        if tag_place:
            values[rows] = np.ascontiguousarray(block[:, 1:tag_place]).view("<f8")[:, 0]
        left[rows] = False
    _decode_others(encoded, np.flatnonzero(left), times, values)
    return times, values


def _is_plain(block: Bytes, tag_place: int) -> Mask:
    """Tell which rows have the tags, and a varint of six bytes, where they should be."""
    continued = block[:, tag_place + 1 :] >= 0x80
    plain: Mask = (block[:, tag_place] == _TIME_TAG) & ~continued[:, -1]
    plain &= continued[:, :-1].all(axis=1)
    if tag_place:
        plain &= block[:, 0] == _VALUE_TAG
    return plain


def _varints(block: Bytes) -> Times:
    parts = (block & 0x7F).astype(np.int64) << (7 * np.arange(_TIME_BYTES))
    total: Times = parts.sum(axis=1)
    return total


def _decode_others(encoded: Sequence[bytes], rows: Refs, times: Times, values: Values) -> None:
    for row in rows.tolist():
        sample = decode("Sample", encoded[row])
        times[row], values[row] = sample.timestamp, sample.value
