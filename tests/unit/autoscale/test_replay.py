"""Replays, reckoned by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from controlplane.autoscale.options import (
    Behavior,
    Kind,
    MetricOptions,
    MetricTarget,
    Policy,
    ScalingRules,
    TargetType,
)
from controlplane.autoscale.reading import Reading
from controlplane.autoscale.replay import MOST_STEPS, History, gather, replay
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY
from controlplane.promql.values import Matrix, Result, Scalar

START, MINUTE, HOUR = 1_700_000_000_000, 60_000, 3_600_000
CPU = MetricOptions("cpu", "cpu", target=MetricTarget(0.5))
QUICK = Behavior(scale_down=ScalingRules(0))


def history(actual: Sequence[float | None], **metrics: Sequence[float | None]) -> History:
    """Return readings a quarter of an hour apart; None is missing."""

    def readings(values: Sequence[float | None]) -> list[Reading]:
        return [Reading() if v is None else Reading((v,)) for v in values]

    held = {
        name: [r if r.values else Reading(problem="no value was stored") for r in readings(values)]
        for name, values in metrics.items()
    }
    return History(START, HOUR // 4, readings(actual), held)


def policy(metric: MetricOptions = CPU, most: int = 20) -> Policy:
    return Policy("shop", most, (metric,), replicas="count", behavior=QUICK)


def test_load_is_shared_by_the_replicas_of_the_replay() -> None:
    """4 at 0.9 are 8 at 0.45: there it settles, and what happened stays over."""
    seen = replay(policy(), history([4, 4, 4, 4], cpu=[0.9, 0.9, 0.9, 0.9]))
    assert seen.would.changes == [(START, 4), (START + HOUR // 4, 8)]
    assert seen.would.replica_hours == pytest.approx((4 + 8 + 8 + 8) / 4)
    assert seen.would.over == HOUR // 4
    assert seen.actual is not None
    assert seen.actual.replica_hours == pytest.approx(4)
    assert seen.actual.over == HOUR
    assert (seen.would.least, seen.would.most) == (4, 8)
    assert seen.end - seen.start == HOUR


def test_what_is_not_shared_stays_as_measured() -> None:
    """The length of a queue does not depend on who works it off."""
    queue = MetricOptions("q", "q", target=MetricTarget(10), shared=False)
    seen = replay(policy(queue, most=8), history([2, 2, 2], q=[20, 20, 20]))
    assert [number for _, number in seen.would.changes] == [2, 4, 8]
    total = MetricOptions("q", "q", target=MetricTarget(10, TargetType.AVERAGE_VALUE))
    seen = replay(policy(total), history([2, 2, 2], q=[40, 40, 40]))
    assert [number for _, number in seen.would.changes] == [2, 4]


def test_thresholds_are_replayed() -> None:
    """CPU over 0.7 is over; in steps of one."""
    cpu = MetricOptions("cpu", "cpu", Kind.CPU)
    seen = replay(policy(cpu), history([4, 4, 4], cpu=[0.8, 0.8, 0.8]))
    assert [number for _, number in seen.would.changes] == [4, 5]
    assert seen.would.over == HOUR // 4


def test_gaps_hold_and_are_told() -> None:
    """A missing value changes nothing, is not under the limit, and counts as not known."""
    seen = replay(policy(), history([4, None, 4, 4], cpu=[0.9, None, 0.45, 0.45]))
    assert seen.would.blind == HOUR // 4
    assert [number for _, number in seen.would.changes] == [4, 8, 4]
    assert seen.actual is not None
    assert seen.actual.replica_hours == pytest.approx(3)


def test_without_a_count_nothing_happened() -> None:
    """Then the replay begins at the least, and values count as they are."""
    bare = Policy("shop", 20, (CPU,), 3)
    seen = replay(bare, history([None, None], cpu=[0.5, 0.5]))
    assert (seen.actual, seen.would.changes) == (None, [(START, 3)])


class Stored:
    """A store that answers ranges with two series, one of them with gaps."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Duration]] = []

    async def __call__(
        self, policy: Policy, expr: str, start: Timestamp, end: Timestamp, step: Duration
    ) -> Result:
        self.asked.append((expr, step))
        if expr == "scalar":
            return Result(Scalar(start, 1.0))
        times = np.arange(start, end + 1, step, dtype=np.int64)
        values = np.vstack([np.full(len(times), 1.0), np.full(len(times), 2.0)])
        present = np.ones(values.shape, dtype=bool)
        present[1, ::2] = False
        if expr == "count":
            values, present = np.full((1, len(times)), 4.0), np.ones((1, len(times)), dtype=bool)
            values[0, 1] = np.nan
        return Result(Matrix([EMPTY] * len(values), times, values, present))


async def test_history_is_read_from_the_store() -> None:
    """Series that are there at an instant count then; NaN is missing."""
    stored = Stored()
    read = await gather(policy(), stored, START, START + MINUTE)
    assert stored.asked == [("count", 15_000), ("cpu", 15_000)]
    assert [each.values for each in read.metrics["cpu"]] == [(1.0,), (1.0, 2.0)] * 2 + [(1.0,)]
    assert [each.values for each in read.actual] == [(4.0,), (), (4.0,), (4.0,), (4.0,)]


_FIRST, _LAST = [False, True, True, True, True], [True, True, True, True, False]


@pytest.mark.parametrize(
    ("moved", "held"),
    [(-9_000, _LAST), (-7_000, [True] * 5), (5_000, [True] * 5), (9_000, _FIRST)],
)
async def test_an_engine_may_move_the_range(moved: int, held: list[bool]) -> None:
    """To its own instants: each value counts at the nearest of ours, if there is one."""
    stored = Stored()

    async def elsewhere(
        policy: Policy, expr: str, start: Timestamp, end: Timestamp, step: Duration
    ) -> Result:
        found = (await stored(policy, expr, start, end, step)).value
        assert isinstance(found, Matrix)
        return Result(replace(found, times=found.times + moved))

    read = await gather(policy(), elsewhere, START, START + MINUTE)
    assert [bool(each.values) for each in read.metrics["cpu"]] == held


async def test_a_long_time_has_longer_steps() -> None:
    """There are never more of them than a query may have."""
    read = await gather(policy(), Stored(), START, START + 90 * 24 * HOUR)
    assert read.step == 90 * 24 * HOUR // MOST_STEPS + 1
    assert len(read.actual) <= MOST_STEPS + 1
    with pytest.raises(InvalidInput, match="no time"):
        await gather(policy(), Stored(), START, START)
    with pytest.raises(InvalidInput, match="no series over time"):
        await gather(policy(MetricOptions("s", "scalar", Kind.CPU)), Stored(), START, START + HOUR)
