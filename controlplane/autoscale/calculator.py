"""From a metric with a target to a number of replicas, as the Kubernetes HPA reckons.

The algorithm is that of pkg/controller/podautoscaler/replica_calculator.go
(`GetExternalMetricReplicas`, `GetExternalPerPodMetricReplicas`,
`calcPlainMetricReplicas`): values are whole thousandths, ratios are float64.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.autoscale.options import MetricTarget, TargetType


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far from 1 a ratio may be without a change."""

    down: float
    up: float

    def hold(self, ratio: float) -> bool:
        """Tell whether a ratio is too close to 1 to act on."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Proposal:
    """How many replicas a metric asks for, by which ratio of its value to its target.

    `tolerated` says that the ratio asked for another number and was too close to 1.
    """

    replicas: int
    ratio: float
    tolerated: bool = False


def milli(value: float) -> int:
    """Return a value in thousandths, to the nearest, as metrics adapters hand it to the HPA."""
    return round(value * 1000)


def propose(
    values: Sequence[float], target: MetricTarget, current: int, ready: int, tolerances: Tolerances
) -> Proposal:
    """Return what the values of a metric, of which there is at least one, ask for."""
    amounts, wanted = [milli(value) for value in values], milli(target.value)
    if target.type is TargetType.AVERAGE_VALUE:
        return _average(sum(amounts), wanted, current, tolerances)
    if target.type is TargetType.PODS:
        return _pods(amounts, wanted, current, ready, tolerances)
    return _value(sum(amounts), wanted, current, ready, tolerances)


def _value(amount: int, wanted: int, current: int, ready: int, tolerances: Tolerances) -> Proposal:
    ratio = amount / wanted
    if current == 0:
        return Proposal(math.ceil(ratio), ratio)
    if tolerances.hold(ratio):
        return Proposal(current, ratio, tolerated=ratio != 1)
    return Proposal(math.ceil(ratio * ready), ratio)


def _average(amount: int, wanted: int, current: int, tolerances: Tolerances) -> Proposal:
    if current == 0:
        return Proposal(math.ceil(amount / wanted), math.inf if amount else 0.0)
    ratio = amount / (wanted * current)
    if tolerances.hold(ratio):
        return Proposal(current, ratio, tolerated=ratio != 1)
    return Proposal(math.ceil(amount / wanted), ratio)


def _pods(
    amounts: Sequence[int], wanted: int, current: int, ready: int, tolerances: Tolerances
) -> Proposal:
    """Pods without a value count as on target going down, and as idle going up."""
    ratio, missing = _mean(amounts) / wanted, max(0, ready - len(amounts))
    if not missing:
        if tolerances.hold(ratio):
            return Proposal(current, ratio, tolerated=ratio != 1)
        return Proposal(math.ceil(ratio * ready), ratio)
    filled = [*amounts, *[wanted if ratio < 1 else 0] * missing]
    again = _mean(filled) / wanted
    turned = (ratio < 1 < again) or (again < 1 < ratio)
    if tolerances.hold(again) or turned:
        return Proposal(current, again, tolerated=True)
    replicas = math.ceil(again * len(filled))
    if (again < 1 and replicas > current) or (again > 1 and replicas < current):
        return Proposal(current, again, tolerated=True)
    return Proposal(replicas, again)


def _mean(amounts: Sequence[int]) -> int:
    """Whole thousandths, towards zero, as Go divides."""
    total, number = sum(amounts), len(amounts)
    return total // number if total >= 0 else -(-total // number)
