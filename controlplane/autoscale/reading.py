"""What came of a query: numbers, or why there are none. What is missing is never 0."""

import math
from dataclasses import dataclass

from controlplane.autoscale.sentence import Said, Sentence
from controlplane.promql.values import Scalar, Vector


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of a query's series, at least one; or the `problem` that there are none."""

    values: tuple[float, ...] = ()
    problem: Said = ""

    @property
    def total(self) -> float:
        return math.fsum(self.values)


def reading(result: Vector | Scalar) -> Reading:
    """Return the numbers of a result; one that is no finite number spoils them all."""
    if isinstance(result, Scalar):
        values: tuple[float, ...] = (result.value,)
    elif result.histograms is not None:
        return Reading(problem=Sentence("the query gives histograms"))
    else:
        values = tuple(float(value) for value in result.values)
    if not values:
        return Reading(problem=Sentence("the query gives no series"))
    spoiled = [value for value in values if not math.isfinite(value)]
    if spoiled:
        return Reading(problem=Sentence("the query gives %(value)s", {"value": f"{spoiled[0]:g}"}))
    return Reading(values)


def only(read: Reading) -> Reading:
    """Return a reading that is good only with a single series: a ratio cannot be added up."""
    if len(read.values) > 1:
        count = {"count": len(read.values)}
        return Reading(
            problem=Sentence("the query gives %(count)s series where one is needed", count)
        )
    return read


def count(read: Reading) -> Reading:
    """Return a reading that is good only as a number of replicas."""
    read = only(read)
    if read.values and (read.total < 0 or read.total != int(read.total)):
        value = {"value": f"{read.total:g}"}
        return Reading(problem=Sentence("%(value)s is no number of replicas", value))
    return read
