"""Functions of one value at a time."""

from collections.abc import Callable
from typing import Final

import numpy as np

from controlplane.model.samples import Values

MATH: Final[dict[str, Callable[[Values], Values]]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": np.radians,
    "sgn": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


def rounded(values: Values, nearest: Values) -> Values:
    """Round to multiples of `nearest`, halves upwards."""
    # Multiplying by the inverse errs less than dividing.
    inverse = 1.0 / nearest
    result: Values = np.floor(values * inverse + 0.5) / inverse
    return result


def clamped(values: Values, low: Values, high: Values) -> Values:
    """Keep values within bounds; a NaN among them makes the result NaN."""
    result: Values = np.maximum(low, np.minimum(high, values))
    return result
