"""The operators over arrays."""

from collections.abc import Callable
from typing import Final

import numpy as np

from controlplane.model.samples import Mask, Values

CALCULATE: Final[dict[str, Callable[..., Values]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,  # Go's math.Mod: the sign of the dividend
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARE: Final[dict[str, Callable[..., Mask]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def scalar_result(op: str, left: Values, right: Values) -> Values:
    """Return the operator's values between numbers; comparisons give 0 or 1."""
    if op in COMPARE:
        return COMPARE[op](left, right).astype(np.float64)
    return CALCULATE[op](left, right)
