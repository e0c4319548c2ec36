"""Proposals from targets, each case worked out by hand from the HPA's documented algorithm."""

import pytest

from controlplane.autoscale.calculator import Proposal, Tolerances, milli, propose
from controlplane.autoscale.options import MetricTarget, TargetType
from controlplane.errors import InvalidInput

TOLERANCES = Tolerances(0.1, 0.1)
VALUE, AVERAGE, PODS = TargetType.VALUE, TargetType.AVERAGE_VALUE, TargetType.PODS


@pytest.mark.parametrize(
    ("kind", "target", "values", "current", "ready", "replicas"),
    [
        # ceil(4 * 0.9 / 0.5) = ceil(7.2)
        (VALUE, 0.5, (0.9,), 4, 4, 8),
        # 0.55 / 0.5 is 1.1, at the very edge of the tolerance
        (VALUE, 0.5, (0.55,), 4, 4, 4),
        # 0.56 / 0.5 is 1.12, beyond it: ceil(4.48)
        (VALUE, 0.5, (0.56,), 4, 4, 5),
        # 0.45 / 0.5 is 0.9, at the other edge
        (VALUE, 0.5, (0.45,), 4, 4, 4),
        # ceil(4 * 0.2) = ceil(0.8)
        (VALUE, 0.5, (0.1,), 4, 4, 1),
        # the sum of the series counts: 30 / 10 = 3, times 2
        (VALUE, 10, (10, 20), 2, 2, 6),
        # only pods that are ready are multiplied: ceil(3 * 2)
        (VALUE, 10, (20,), 4, 3, 6),
        # nothing there yet: ceil(2.5), without a tolerance
        (VALUE, 10, (25,), 0, 0, 3),
        (VALUE, 10, (10.9,), 0, 0, 2),
        (VALUE, 10, (0,), 0, 0, 0),
        # a value that is 0 is a value: ceil(0)
        (VALUE, 10, (0,), 5, 5, 0),
        # the HPA's float64: 0.55 * 100 is 55.00000000000001
        (VALUE, 1, (0.55,), 100, 100, 56),
        # thousandths, not binary fractions: 2.1 / 0.7 is 3, not a hair more
        (VALUE, 0.7, (2.1,), 1, 1, 3),
        # ceil(100 / 30)
        (AVERAGE, 30, (100,), 2, 2, 4),
        # 100 / (30 * 3) = 1.11: beyond; 98 / 90 = 1.09: within
        (AVERAGE, 30, (100,), 3, 3, 4),
        (AVERAGE, 30, (98,), 3, 3, 3),
        # ready pods do not count here
        (AVERAGE, 30, (300,), 5, 1, 10),
        (AVERAGE, 30, (61,), 0, 0, 3),
        (AVERAGE, 30, (0,), 0, 0, 0),
        # mean 15 of a target of 10: ceil(1.5 * 2)
        (PODS, 10, (10, 20), 2, 2, 3),
        (PODS, 10, (10, 11), 2, 2, 2),
        # one of 3 missing on the way down counts as on target: 14 / 3 = 4.666, ceil(0.466 * 3)
        (PODS, 10, (2, 2), 3, 3, 2),
        # one of 3 missing on the way up counts as idle: (30 + 30 + 0) / 3 = 20, ceil(2 * 3)
        (PODS, 10, (30, 30), 3, 3, 6),
        # (12 + 12 + 0) / 3 = 8: that would turn up into down
        (PODS, 10, (12, 12), 3, 3, 3),
        # (8 + 8 + 8 + 10) / 4 = 8.5, ceil(0.85 * 4) = 4: nothing changes
        (PODS, 10, (8, 8, 8), 4, 4, 4),
        # whole thousandths: the mean of 1, 1 and 2 thousandths is 1, not 1.333
        (PODS, 0.002, (0.001, 0.001, 0.002), 3, 3, 2),
    ],
)
def test_what_a_metric_asks_for(
    kind: TargetType,
    target: float,
    values: tuple[float, ...],
    current: int,
    ready: int,
    replicas: int,
) -> None:
    """Sum, average, pods that are missing, tolerance and rounding are the HPA's."""
    asked = propose(values, MetricTarget(target, kind), current, ready, TOLERANCES)
    assert asked.replicas == replicas


def test_a_tolerance_has_two_sides() -> None:
    """Up and down are held apart, as `behavior` gives them."""
    sides = Tolerances(down=0.0, up=0.5)
    target = MetricTarget(10)
    assert propose((14,), target, 10, 10, sides) == Proposal(10, 1.4, tolerated=True)
    assert propose((9.5,), target, 10, 10, sides) == Proposal(10, 0.95)
    assert propose((8.9,), target, 10, 10, sides).replicas == 9
    assert propose((10,), target, 10, 10, sides) == Proposal(10, 1.0)


def test_values_are_thousandths() -> None:
    """To the nearest, so that a float's noise is no load."""
    assert (milli(0.30000000000000004), milli(1.0004), milli(-0.5)) == (300, 1000, -500)


def test_a_target_below_a_thousandth_is_refused() -> None:
    """There is nothing to divide by."""
    with pytest.raises(InvalidInput, match="scale the query"):
        MetricTarget(0.0001)
