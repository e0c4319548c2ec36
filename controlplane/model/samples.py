"""Samples in columns, and the two NaNs that are not alike."""

from typing import Final

import numpy as np
import numpy.typing as npt

# Series numbers of a store, sample values and instants, one entry a sample.
Refs = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Prometheus' model/value: a series that ended, against an ordinary NaN. NumPy
# keeps the bits through copies and loses them in arithmetic: look at once.
STALE_BITS: Final = 0x7FF0000000000002
NORMAL_NAN_BITS: Final = 0x7FF8000000000001
STALE_NAN: Final[np.float64] = np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0]


def is_stale(values: Values) -> Mask:
    """Tell for each value whether it is the staleness marker (by its bits)."""
    marks: Mask = np.ascontiguousarray(values).view(np.uint64) == STALE_BITS
    return marks
