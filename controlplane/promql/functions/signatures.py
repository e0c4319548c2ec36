"""What each function takes and returns; the parser checks calls against it."""

from dataclasses import dataclass
from typing import Final

from controlplane.promql.ast import ValueType

_SCALAR: Final = ValueType.SCALAR
_VECTOR: Final = ValueType.VECTOR
_MATRIX: Final = ValueType.MATRIX
_STRING: Final = ValueType.STRING


@dataclass(frozen=True, slots=True)
class Signature:
    """Types of arguments and result.

    With `variadic` 0 the arguments are exactly `args`; otherwise the last of
    `args` may be left out or repeated up to `variadic` times (-1: any number).
    """

    args: tuple[ValueType, ...]
    returns: ValueType = _VECTOR
    variadic: int = 0
    experimental: bool = False


_OF_VECTOR: Final = Signature((_VECTOR,))
_OF_MATRIX: Final = Signature((_MATRIX,))
_DATE: Final = Signature((_VECTOR,), variadic=1)
_CONSTANT: Final = Signature((), _SCALAR)
_EXPERIMENTAL_OF_MATRIX: Final = Signature((_MATRIX,), experimental=True)
_EXPERIMENTAL_CONSTANT: Final = Signature((), _SCALAR, experimental=True)

_VECTOR_FUNCTIONS: Final = [
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "histogram_avg",
    "histogram_count",
    "histogram_stddev",
    "histogram_stdvar",
    "histogram_sum",
    "ln",
    "log10",
    "log2",
    "rad",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
]
_MATRIX_FUNCTIONS: Final = [
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "first_over_time",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
]
_DATE_FUNCTIONS: Final = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
]
_EXPERIMENTAL_MATRIX_FUNCTIONS: Final = [
    "mad_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
]

SIGNATURES: Final[dict[str, Signature]] = {
    **dict.fromkeys(_VECTOR_FUNCTIONS, _OF_VECTOR),
    **dict.fromkeys(_MATRIX_FUNCTIONS, _OF_MATRIX),
    **dict.fromkeys(_DATE_FUNCTIONS, _DATE),
    **dict.fromkeys(_EXPERIMENTAL_MATRIX_FUNCTIONS, _EXPERIMENTAL_OF_MATRIX),
    **dict.fromkeys(("start", "end", "step", "range"), _EXPERIMENTAL_CONSTANT),
    **dict.fromkeys(("pi", "time"), _CONSTANT),
    **dict.fromkeys(
        ("max_of", "min_of"), Signature((_SCALAR, _SCALAR), _SCALAR, experimental=True)
    ),
    **dict.fromkeys(
        ("sort_by_label", "sort_by_label_desc"),
        Signature((_VECTOR, _STRING), variadic=-1, experimental=True),
    ),
    "clamp": Signature((_VECTOR, _SCALAR, _SCALAR)),
    "clamp_max": Signature((_VECTOR, _SCALAR)),
    "clamp_min": Signature((_VECTOR, _SCALAR)),
    "double_exponential_smoothing": Signature((_MATRIX, _SCALAR, _SCALAR), experimental=True),
    "histogram_fraction": Signature((_SCALAR, _SCALAR, _VECTOR)),
    "histogram_quantile": Signature((_SCALAR, _VECTOR)),
    "histogram_quantiles": Signature(
        (_VECTOR, _STRING, _SCALAR, _SCALAR), variadic=9, experimental=True
    ),
    "info": Signature((_VECTOR, _VECTOR), variadic=1, experimental=True),
    "label_join": Signature((_VECTOR, _STRING, _STRING, _STRING), variadic=-1),
    "label_replace": Signature((_VECTOR, _STRING, _STRING, _STRING, _STRING)),
    "predict_linear": Signature((_MATRIX, _SCALAR)),
    "quantile_over_time": Signature((_SCALAR, _MATRIX)),
    "round": Signature((_VECTOR, _SCALAR), variadic=1),
    "scalar": Signature((_VECTOR,), _SCALAR),
    "start_timestamp": Signature((_VECTOR,), experimental=True),
    "vector": Signature((_SCALAR,)),
}
