"""Parts of a date, UTC, for arrays of Unix times in seconds."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from controlplane.model.samples import Values

_Days = npt.NDArray[np.datetime64]
# Years that NumPy's proleptic calendar can name; beyond there is no date.
_FURTHEST: Final = 9.2e15


def _seconds(values: Values) -> npt.NDArray[np.int64]:
    """Truncate to whole seconds; what is no number is the epoch's beginning of time."""
    known = np.isfinite(values) & (np.abs(values) < _FURTHEST)
    return np.where(known, np.trunc(np.where(known, values, 0.0)), 0.0).astype(np.int64)


def _moments(values: Values) -> _Days:
    return _seconds(values).astype("datetime64[s]")


def _floats(values: npt.NDArray[np.int64]) -> Values:
    return values.astype(np.float64)


def minute(values: Values) -> Values:
    return _floats(_seconds(values) // 60 % 60)


def hour(values: Values) -> Values:
    return _floats(_seconds(values) // 3600 % 24)


def day_of_week(values: Values) -> Values:
    # 1970-01-01 was a Thursday; Sunday is 0.
    return _floats((_seconds(values) // 86400 + 4) % 7)


def day_of_month(values: Values) -> Values:
    moments = _moments(values)
    days = moments.astype("datetime64[D]") - moments.astype("datetime64[M]").astype("datetime64[D]")
    return _floats(days.astype(np.int64) + 1)


def day_of_year(values: Values) -> Values:
    moments = _moments(values)
    days = moments.astype("datetime64[D]") - moments.astype("datetime64[Y]").astype("datetime64[D]")
    return _floats(days.astype(np.int64) + 1)


def days_in_month(values: Values) -> Values:
    months = _moments(values).astype("datetime64[M]")
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    return _floats((following - months.astype("datetime64[D]")).astype(np.int64))


def month(values: Values) -> Values:
    return _floats(_moments(values).astype("datetime64[M]").astype(np.int64) % 12 + 1)


def year(values: Values) -> Values:
    return _floats(_moments(values).astype("datetime64[Y]").astype(np.int64) + 1970)


DATES: Final[dict[str, Callable[[Values], Values]]] = {
    "day_of_month": day_of_month,
    "day_of_week": day_of_week,
    "day_of_year": day_of_year,
    "days_in_month": days_in_month,
    "hour": hour,
    "minute": minute,
    "month": month,
    "year": year,
}
