"""What an expression evaluates to."""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.clock import Timestamp
from controlplane.model.histogram import Histograms
from controlplane.model.labels import Labels
from controlplane.model.samples import Mask, Times, Values


@dataclass(frozen=True, slots=True)
class Vector:
    """One value a series at one instant; `values` has the shape (n,).

    So has `histograms`, which is None when all are floats; where it has one the
    value means nothing.
    """

    time: Timestamp
    labels: Sequence[Labels]
    values: Values
    histograms: Histograms | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Values of n series at k instants; `values` and `present` have the shape (n, k).

    For a range vector (`up[5m]`) each series has instants of its own: `times`
    then has the shape (n, k) too, padded where `present` is False. So has
    `histograms`, which is None when all samples are floats.
    """

    labels: Sequence[Labels]
    times: Times
    values: Values
    present: Mask
    histograms: Histograms | None = None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number at one instant."""

    time: Timestamp
    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A text at one instant."""

    time: Timestamp
    value: str


Value = Vector | Matrix | Scalar | String


@dataclass(frozen=True, slots=True)
class Result:
    """A value with the annotations that Prometheus calls warnings and infos."""

    value: Value
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()
