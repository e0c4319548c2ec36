"""deriv and predict_linear: a straight line through each window by least squares."""

import numpy as np

from controlplane.model.samples import Mask, Times, Values
from controlplane.promql.frame import Windows
from controlplane.promql.sums import RunningSum


def line(windows: Windows, origins: Times) -> tuple[Values, Values]:
    """Return slope (per second) and value at `origins` of each window's line.

    `origins` has the shape (n, k) or (k,). A constant series has slope 0, a
    constant infinite one has no line (NaN).
    """
    count = windows.high - windows.low
    top = max(len(windows.values) - 1, 0)
    shape = np.broadcast_shapes(windows.low.shape, np.shape(origins))
    sums = [RunningSum(shape) for _ in range(4)]
    first = windows.values[np.minimum(windows.low, top)] if len(windows.values) else None
    constant = np.ones(shape, dtype=bool)
    for position in range(int(count.max(initial=0))):
        reaches = count > position
        at = np.minimum(windows.low + position, top)
        y = np.where(reaches, windows.values[at], 0.0)
        x = np.where(reaches, (windows.times[at] - origins) / 1000.0, 0.0)
        constant &= ~reaches | (windows.values[at] == first)
        for running, term in zip(sums, (x, y, x * y, x * x), strict=True):
            running.add(np.broadcast_to(term, shape))
    sum_x, sum_y, sum_xy, sum_xx = (running.total() for running in sums)
    n = np.maximum(count, 1)
    slope = (sum_xy - sum_x * sum_y / n) / (sum_xx - sum_x * sum_x / n)
    intercept = sum_y / n - slope * sum_x / n
    return (slope, intercept) if first is None else flattened(slope, intercept, first, constant)


def flattened(
    slope: Values, intercept: Values, first: Values, constant: Mask
) -> tuple[Values, Values]:
    """Return the line, level where all values equal the first one, none where that is infinite."""
    infinite = np.isinf(first)
    slope = np.where(constant, np.where(infinite, np.nan, 0.0), slope)
    intercept = np.where(constant, np.where(infinite, np.nan, first), intercept)
    return slope, intercept


def enough(windows: Windows) -> Mask:
    """Return where a window has the two samples that a line needs."""
    result: Mask = windows.high - windows.low >= 2
    return result


def slopes(windows: Windows) -> Values:
    """Return the slope per second of each window."""
    if not len(windows.times):
        return np.zeros(windows.low.shape)
    # Times are taken from the first sample on, which keeps the sums exact.
    origins = windows.times[np.minimum(windows.low, len(windows.times) - 1)]
    return line(windows, origins)[0]


def predicted(windows: Windows, seconds: Values, instants: Times) -> Values:
    """Return each line's value `seconds` after the instant of evaluation."""
    slope, intercept = line(windows, instants)
    return slope * seconds + intercept
