"""Stabilisation, rates and bounds, each case worked out by hand from the HPA's algorithm."""

import pytest

from controlplane.autoscale.behavior import Past, bound
from controlplane.autoscale.options import (
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)

NOW = 1_700_000_000_000
SECOND = 1000
PODS, PERCENT = PolicyType.PODS, PolicyType.PERCENT


def past(*recommended: tuple[int, int], changes: tuple[tuple[int, int], ...] = ()) -> Past:
    """Return a past of numbers so many seconds ago."""
    return Past(
        tuple((NOW - ago * SECOND, number) for ago, number in recommended),
        tuple((NOW - ago * SECOND, number) for ago, number in changes),
    )


def bounded(
    proposal: int,
    current: int,
    behavior: Behavior | None,
    before: Past | None = None,
    bounds: tuple[int, int] = (1, 100),
) -> int:
    return bound(proposal, current, bounds, behavior, before or Past(), NOW)[1].replicas


@pytest.mark.parametrize(
    ("proposal", "current", "before", "expected"),
    [
        # max(2 * 3, 4)
        (20, 3, Past(), 6),
        (20, 1, Past(), 4),
        (20, 0, Past(), 4),
        (5, 3, Past(), 5),
        # the highest of five minutes counts on the way down
        (2, 8, past((299, 6), (301, 7)), 6),
        # five minutes to the millisecond are within
        (2, 8, past((300, 5)), 5),
        (2, 8, past((301, 5)), 2),
        # and up: a recent 9 is taken for a 7
        (7, 5, past((60, 9)), 9),
    ],
)
def test_without_a_behavior(proposal: int, current: int, before: Past, expected: int) -> None:
    """Up to twice as many (four at least) at once; the highest of five minutes."""
    assert bounded(proposal, current, None, before) == expected


@pytest.mark.parametrize(
    ("proposal", "current", "before", "expected"),
    [
        # four pods or 100 %, whichever is more
        (50, 3, Past(), 7),
        (50, 10, Past(), 20),
        # 4 of the 8 came within 15 s: from 4 on at most max(8, 8)
        (50, 8, past(changes=((10, 4),)), 8),
        # 15 s to the millisecond are over
        (50, 8, past(changes=((15, 4),)), 16),
        # what was taken away within the period is given back: max(6 + 2 + 4, 16)
        (50, 6, past(changes=((10, -2),)), 16),
        # the highest of five minutes holds
        (2, 8, past((200, 6)), 6),
        (2, 8, past((200, 9)), 8),
        # five minutes to the millisecond are over, with a behavior
        (2, 8, past((300, 6)), 2),
        # down: all at once
        (1, 8, past((400, 9)), 1),
    ],
)
def test_the_default_behavior(proposal: int, current: int, before: Past, expected: int) -> None:
    """An empty `behavior` is the HPA's: 4 pods or 100 % in 15 s, five minutes down."""
    assert bounded(proposal, current, Behavior(), before) == expected


def rules(
    *policies: ScalingPolicy, select: SelectPolicy = SelectPolicy.MAX, window: int = 0
) -> ScalingRules:
    return ScalingRules(window, policies, select)


TWO_PODS, HALF = ScalingPolicy(PODS, 2, 60), ScalingPolicy(PERCENT, 50, 60)
TENTH = ScalingPolicy(PERCENT, 10, 60)


@pytest.mark.parametrize(
    ("up", "proposal", "current", "before", "expected"),
    [
        (rules(TWO_PODS, HALF), 50, 10, Past(), 15),
        (rules(TWO_PODS, HALF, select=SelectPolicy.MIN), 50, 10, Past(), 12),
        (rules(TWO_PODS, HALF, select=SelectPolicy.DISABLED), 50, 10, Past(), 10),
        # 10 % of 3 is rounded up to a whole one
        (rules(TENTH), 50, 3, Past(), 4),
        # one was added within the minute: from 11 - 1 on, two more
        (rules(TWO_PODS), 50, 11, past(changes=((30, 1),)), 12),
        # more than allowed was added: stay
        (rules(TWO_PODS), 50, 20, past(changes=((30, 9),)), 20),
        # the lowest of the window counts on the way up
        (rules(ScalingPolicy(PODS, 90, 15), window=120), 50, 10, past((100, 14), (60, 30)), 14),
        # and may keep everything as it is, but not turn it round
        (rules(ScalingPolicy(PODS, 90, 15), window=120), 50, 10, past((60, 4)), 10),
    ],
)
def test_ways_up(
    up: ScalingRules, proposal: int, current: int, before: Past, expected: int
) -> None:
    """Policies, selectPolicy, periods and the window of scaleUp."""
    assert bounded(proposal, current, Behavior(scale_up=up), before) == expected


@pytest.mark.parametrize(
    ("down", "proposal", "current", "before", "expected"),
    [
        (rules(TWO_PODS, HALF), 1, 10, Past(), 5),
        (rules(TWO_PODS, HALF, select=SelectPolicy.MIN), 1, 10, Past(), 8),
        (rules(TWO_PODS, HALF, select=SelectPolicy.DISABLED), 1, 10, Past(), 10),
        # 10 % of 3 taken away leaves 2.7, which is 2
        (rules(TENTH), 1, 3, Past(), 2),
        # one was taken away within the minute: from 9 + 1 on, two fewer
        (rules(TWO_PODS), 1, 9, past(changes=((30, -1),)), 8),
        # one was added within the minute: from 11 - 1 on, two fewer
        (rules(TWO_PODS), 1, 11, past(changes=((30, 1),)), 8),
        (rules(TWO_PODS), 1, 5, past(changes=((30, -6),)), 5),
    ],
)
def test_ways_down(
    down: ScalingRules, proposal: int, current: int, before: Past, expected: int
) -> None:
    """Policies, selectPolicy and periods of scaleDown."""
    assert bounded(proposal, current, Behavior(scale_down=down), before) == expected


def test_bounds_are_named_in_words() -> None:
    """What is cut off says by what; only the maximum is pressure."""
    _, most = bound(90, 8, (2, 10), Behavior(), Past(), NOW)
    assert (most.replicas, most.limited_by_max) == (10, True)
    assert list(map(str, most.steps)) == ["max_replicas: 10 instead of 90"]
    _, least = bound(0, 8, (2, 10), Behavior(), Past(), NOW)
    assert (least.replicas, least.limited_by_max) == (2, False)
    assert list(map(str, least.steps)) == ["min_replicas: 2 instead of 0"]
    _, rate = bound(90, 8, (2, 100), Behavior(), Past(), NOW)
    assert list(map(str, rate.steps)) == ["the policies of scaleUp: 16 instead of 90"]
    _, plain = bound(90, 8, (2, 10), None, Past(), NOW)
    assert (plain.replicas, plain.limited_by_max) == (10, True)
    _, stable = bound(3, 8, (2, 10), None, past((60, 5)), NOW)
    assert list(map(str, stable.steps)) == [
        "stabilisation: 5 instead of 3, the highest within the window"
    ]


def test_the_past_does_not_grow() -> None:
    """What is older than every window and period is forgotten."""
    kept = past((301, 5), (300, 6), (10, 7), changes=((16, 1), (15, 2)))
    after, _ = bound(8, 8, (1, 10), Behavior(), kept, NOW)
    assert [number for _, number in after.recommendations] == [6, 7, 8]
    assert [number for _, number in after.changes] == [2]
    twice, _ = bound(7, 8, (1, 10), Behavior(), kept, NOW)
    assert twice.recommendations[-1] == (NOW, 7)
    assert [number for _, number in twice.recommendations] == [6, 7]
