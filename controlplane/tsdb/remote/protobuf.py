"""The few shapes of protobuf's wire format that remote write is made of.

Written by hand because samples leave in columns: one array operation encodes
all samples of a request, where a message object each costs microseconds.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from controlplane.model.samples import Refs, Times, Values

# Instants from 1971 to 2109 take six bytes as a varint.
_FIRST_SIX: Final = 1 << 35
_LAST_SIX: Final = 1 << 42
_WIDTH: Final = 18


@lru_cache(maxsize=1 << 14)
def varint(number: int) -> bytes:
    """Return a whole number; a negative one as its two's complement of 64 bits."""
    number &= (1 << 64) - 1
    if number < 0x80:
        return bytes((number,))
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def field(number: int, content: bytes) -> bytes:
    """Return a field of a message, a text or bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def whole(number: int, value: int) -> bytes:
    """Return a field that holds a whole number."""
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    """Return a field that holds a float64."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def samples(times: Times, values: Values, bounds: Refs) -> Sequence[bytes]:
    """Return the samples of each series as field 2 of its message; the same in both versions.

    Series i has those from `bounds[i]` to `bounds[i + 1]`.
    """
    if len(times) and times.min() >= _FIRST_SIX and times.max() < _LAST_SIX:
        written = _of_one_width(times, values)
        edges = (bounds * _WIDTH).tolist()
        return [written[low:high] for low, high in pairwise(edges)]
    each = [
        field(2, b"\x09" + value + whole(2, time))
        for time, value in zip(times.tolist(), _doubles(values), strict=True)
    ]
    edges = bounds.tolist()
    return [b"".join(each[low:high]) for low, high in pairwise(edges)]


def _of_one_width(times: Times, values: Values) -> bytes:
    rows = np.empty((len(times), _WIDTH), dtype=np.uint8)
    rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 11] = 0x12, _WIDTH - 2, 0x09, 0x10
    rows[:, 3:11] = np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(-1, 8)
    for place in range(6):
        rows[:, 12 + place] = (times >> (7 * place)) & 0x7F | (0x80 if place < 5 else 0)
    return rows.tobytes()


def _doubles(values: Values) -> Sequence[bytes]:
    written = np.ascontiguousarray(values, dtype="<f8").tobytes()
    return [written[at : at + 8] for at in range(0, len(written), 8)]
