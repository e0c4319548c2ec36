"""What a policy would have done, over stored history, beside what happened.

The replicas of the replay are its own: a value that replicas share is scaled
by what there was over what the replay has at that moment, on the assumption
that load spreads evenly and does not depend on how many share it.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.autoscale.calculator import propose
from controlplane.autoscale.decision import Outcome
from controlplane.autoscale.options import MetricOptions, Policy, TargetType
from controlplane.autoscale.ports import RangeFunc
from controlplane.autoscale.reading import Reading, count, only
from controlplane.autoscale.recommend import Seen, State, carried_out, decide, tolerances_of
from controlplane.autoscale.sentence import Sentence
from controlplane.clock import Duration, Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import HOUR
from controlplane.promql.values import Matrix

# Instants of one replay: 7 days at one minute. They are some two seconds of a thread's work.
MOST_STEPS = 11_000


@dataclass(frozen=True, slots=True)
class History:
    """What was measured: readings at `start`, `start + step`, ... of replicas and metrics.

    `actual` has readings without values where the number is not known.
    """

    start: Timestamp
    step: Duration
    actual: Sequence[Reading]
    metrics: Mapping[str, Sequence[Reading]]


@dataclass(slots=True)
class Track:
    """How it went with some number of replicas at each instant. Times are milliseconds.

    `over` is how long a metric was over its limit, `blind` how long that is not
    known, `changes` the instants at which the number became another one.
    """

    replica_hours: float = 0.0
    over: Duration = 0
    blind: Duration = 0
    least: int = 0
    most: int = 0
    changes: list[tuple[Timestamp, int]] = field(default_factory=list)

    def go(self, at: Timestamp, step: Duration, replicas: int, *, over: bool | None) -> None:
        """Add a step."""
        first = not self.changes
        if first or self.changes[-1][1] != replicas:
            self.changes.append((at, replicas))
        self.least = replicas if first else min(self.least, replicas)
        self.most = max(self.most, replicas)
        self.replica_hours += replicas * step / HOUR
        self.over += step if over else 0
        self.blind += step if over is None else 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """The replay of a policy, and what happened; None where nobody counted replicas."""

    policy: str
    start: Timestamp
    end: Timestamp
    step: Duration
    would: Track
    actual: Track | None


async def gather(policy: Policy, query: RangeFunc, start: Timestamp, end: Timestamp) -> History:
    """Return the history that a policy would have seen. Raises ControlPlaneError.

    Steps are the policy's interval, or longer where there would be too many.
    """
    if end <= start:
        raise InvalidInput("there is no time to replay", pointer="?since")
    step = max(policy.interval, math.ceil((end - start) / MOST_STEPS))
    length = (end - start) // step + 1

    async def readings(expr: str) -> Sequence[Reading]:
        found = await query(policy, expr, start, end, step)
        return await asyncio.to_thread(_readings, found.value, start, step, length)

    actual: Sequence[Reading] = [Reading()] * length
    if policy.replicas:
        actual = [count(each) for each in await readings(policy.replicas)]
    return History(
        start, step, actual, {each.name: await readings(each.query) for each in policy.metrics}
    )


def replay(policy: Policy, history: History) -> Replayed:
    """Return what the policy would have done, and what was done."""
    known = [each for each in history.actual if each.values]
    begun = int(known[0].total) if known else policy.min_replicas
    replicas, state = min(max(begun, policy.min_replicas), policy.max_replicas), State()
    would, actual = Track(), Track()
    for place, there in enumerate(history.actual):
        at = history.start + place * history.step
        measured = {name: readings[place] for name, readings in history.metrics.items()}
        was = int(there.total) if there.values else None
        felt = {
            each.name: _shared(each, measured[each.name], was, replicas) for each in policy.metrics
        }
        would.go(at, history.step, replicas, over=_over(policy, felt, replicas))
        if was is not None:
            actual.go(at, history.step, was, over=_over(policy, measured, was))
        state, decision = decide(policy, state, Seen(Reading((float(replicas),)), felt), at)
        if decision.outcome is Outcome.RECOMMENDED and decision.desired is not None:
            state, replicas = carried_out(state, decision), decision.desired
    end = history.start + len(history.actual) * history.step
    return Replayed(policy.name, history.start, end, history.step, would, actual if known else None)


def _readings(value: object, start: Timestamp, step: Duration, length: int) -> Sequence[Reading]:
    if not isinstance(value, Matrix):
        raise InvalidInput("the query gives no series over time")
    if value.histograms is not None:
        return [Reading(problem=Sentence("the query gives histograms"))] * length
    found: list[list[float]] = [[] for _ in range(length)]
    for values, present in zip(value.values, value.present, strict=True):
        for column in present.nonzero()[0]:
            # An engine may move a range to multiples of its step, as VictoriaMetrics does.
            place = round((int(value.times[column]) - start) / step)
            if 0 <= place < length:
                found[place].append(float(values[column]))
    return [_reading(values) for values in found]


def _reading(values: Sequence[float]) -> Reading:
    if not values or not all(map(math.isfinite, values)):
        return Reading(problem=Sentence("no value was stored"))
    return Reading(tuple(values))


def _shared(metric: MetricOptions, read: Reading, was: int | None, replicas: int) -> Reading:
    """Return a reading as it would have been with other replicas."""
    spread = metric.target is None or metric.target.type is not TargetType.AVERAGE_VALUE
    if not spread or not metric.is_shared or not was or not replicas:
        return read
    return replace(read, values=tuple(value * was / replicas for value in read.values))


def _over(policy: Policy, seen: Mapping[str, Reading], replicas: int) -> bool | None:
    """Tell whether a metric is over its limit; None when none has a value."""
    told = [_above(policy, metric, seen[metric.name], replicas) for metric in policy.metrics]
    known = [each for each in told if each is not None]
    return any(known) if known else None


def _above(policy: Policy, metric: MetricOptions, read: Reading, replicas: int) -> bool | None:
    if metric.target is None:
        up, _ = metric.thresholds
        read = only(read)
        return None if read.problem or up is None else read.total > up.threshold
    if read.problem:
        return None
    held = tolerances_of(policy.behavior)
    asked = propose(read.values, metric.target, replicas, replicas, held)
    return asked.ratio > 1 + held.up
