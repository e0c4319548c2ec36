"""What came of a query: numbers, or why there are none. What is missing is never 0."""

import math
from dataclasses import dataclass

from controlplane.promql.values import Scalar, Vector


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of a query's series, at least one; or the `problem` that there are none."""

    values: tuple[float, ...] = ()
    problem: str = ""

    @property
    def total(self) -> float:
        return math.fsum(self.values)


def reading(result: Vector | Scalar) -> Reading:
    """Return the numbers of a result; one that is no finite number spoils them all."""
    if isinstance(result, Scalar):
        values: tuple[float, ...] = (result.value,)
    elif result.histograms is not None:
        return Reading(problem="the query gives histograms")
    else:
        values = tuple(float(value) for value in result.values)
    if not values:
        return Reading(problem="the query gives no series")
    spoiled = [value for value in values if not math.isfinite(value)]
    return Reading(problem=f"the query gives {spoiled[0]:g}") if spoiled else Reading(values)


def only(read: Reading) -> Reading:
    """Return a reading that is good only with a single series: a ratio cannot be added up."""
    if len(read.values) > 1:
        return Reading(problem=f"the query gives {len(read.values)} series where one is needed")
    return read


def count(read: Reading) -> Reading:
    """Return a reading that is good only as a number of replicas."""
    read = only(read)
    if read.values and (read.total < 0 or read.total != int(read.total)):
        return Reading(problem=f"{read.total:g} is no number of replicas")
    return read
