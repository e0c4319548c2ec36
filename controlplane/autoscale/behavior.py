"""What the HPA does to a proposal: stabilisation, rates, bounds.

The algorithm is that of pkg/controller/podautoscaler/horizontal.go
(`normalizeDesiredReplicasWithBehaviors`, and `normalizeDesiredReplicas` for a
policy without a behavior), with the history kept in a frozen value.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.autoscale.options import (
    DOWN,
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from controlplane.autoscale.sentence import Said, Sentence
from controlplane.clock import Timestamp
from controlplane.model.duration import SECOND

_DOWN_WINDOW: Final = (DOWN.stabilization_window_seconds or 0) * SECOND
# Without a behavior: twice as many at once, and four at any rate.
_FACTOR: Final = 2
_AT_LEAST: Final = 4


@dataclass(frozen=True, slots=True)
class Past:
    """What was recommended, and what was changed (the difference), oldest first."""

    recommendations: tuple[tuple[Timestamp, int], ...] = ()
    changes: tuple[tuple[Timestamp, int], ...] = ()

    def begun(self, current: int, now: Timestamp) -> "Past":
        """Return the past with the number there is as its first recommendation."""
        return self if self.recommendations else replace(self, recommendations=((now, current),))

    def changed(self, before: int, after: int, now: Timestamp) -> "Past":
        """Return the past with a change that was made."""
        return replace(self, changes=(*self.changes, (now, after - before)))


@dataclass(frozen=True, slots=True)
class Bounded:
    """What became of a proposal, and what was done to it, in words."""

    replicas: int
    steps: Sequence[Sentence]
    limited_by_max: bool = False


def bound(
    proposal: int,
    current: int,
    bounds: tuple[int, int],
    behavior: Behavior | None,
    past: Past,
    now: Timestamp,
) -> tuple[Past, Bounded]:
    """Return what a proposal becomes within `bounds` (least, most), and the past with it."""
    if behavior is None:
        stable, steps = _highest(proposal, past, now)
        result = _within(stable, current, bounds, steps)
        window = _DOWN_WINDOW
    else:
        filled = behavior.filled()
        up, down = _window(filled.scale_up), _window(filled.scale_down)
        stable, steps = _stabilised(proposal, current, past, now, (up, down))
        result = _at_rate(stable, current, bounds, filled, past.changes, now, steps)
        window = max(up, down)
    return _recorded(past, proposal, window, behavior, now), result


def _highest(proposal: int, past: Past, now: Timestamp) -> tuple[int, list[Sentence]]:
    cutoff = now - _DOWN_WINDOW
    highest = max((proposal, *(number for at, number in past.recommendations if at >= cutoff)))
    return highest, _said_stable(proposal, highest)


def _stabilised(
    proposal: int,
    current: int,
    past: Past,
    now: Timestamp,
    windows: tuple[int, int],
) -> tuple[int, list[Sentence]]:
    """Bring the current number between the lowest and the highest of the windows."""
    up, down = windows
    least = min((proposal, *_since(past.recommendations, now - up)))
    most = max((proposal, *_since(past.recommendations, now - down)))
    stable = min(max(current, least), most)
    return stable, _said_stable(proposal, stable)


def _since(entries: Iterable[tuple[Timestamp, int]], cutoff: Timestamp) -> Iterable[int]:
    return (number for at, number in entries if at > cutoff)


def _said_stable(proposal: int, stable: int) -> list[Sentence]:
    if stable == proposal:
        return []
    highest = Sentence("the highest within the window")
    lowest = Sentence("the lowest within the window")
    return [
        Sentence(
            "stabilisation: %(stable)s instead of %(asked)s, %(kind)s",
            {"stable": stable, "asked": proposal, "kind": highest if stable > proposal else lowest},
        )
    ]


def _within(stable: int, current: int, bounds: tuple[int, int], steps: list[Sentence]) -> Bounded:
    least, most = bounds
    limit = max(_FACTOR * current, _AT_LEAST)
    if stable < least:
        return Bounded(least, [*steps, _said("min_replicas", least, stable)])
    if stable > most and most <= limit:
        said = _said("max_replicas", most, stable)
        return Bounded(most, [*steps, said], limited_by_max=True)
    if stable > limit:
        said = _said(Sentence("at most twice as many at once"), limit, stable)
        return Bounded(limit, [*steps, said])
    return Bounded(stable, steps)


def _at_rate(
    stable: int,
    current: int,
    bounds: tuple[int, int],
    behavior: Behavior,
    changes: Sequence[tuple[Timestamp, int]],
    now: Timestamp,
    steps: list[Sentence],
) -> Bounded:
    least, most = bounds
    if stable > current:
        limit = max(current, _up_limit(current, changes, behavior.scale_up, now))
        if stable > min(limit, most):
            if limit < most:
                said = _said(Sentence("the policies of scaleUp"), limit, stable)
                return Bounded(limit, [*steps, said])
            said = _said("max_replicas", most, stable)
            return Bounded(most, [*steps, said], limited_by_max=True)
    elif stable < current:
        limit = min(current, _down_limit(current, changes, behavior.scale_down, now))
        if stable < max(limit, least):
            if limit > least:
                said = _said(Sentence("the policies of scaleDown"), limit, stable)
                return Bounded(limit, [*steps, said])
            return Bounded(least, [*steps, _said("min_replicas", least, stable)])
    return Bounded(stable, steps)


def _up_limit(
    current: int, changes: Sequence[tuple[Timestamp, int]], rules: ScalingRules, now: Timestamp
) -> int:
    def allowed(policy: ScalingPolicy, start: int) -> int:
        if policy.type is PolicyType.PODS:
            return start + policy.value
        # Rounded up: a percentage of few would never add one.
        return math.ceil(start * (1 + policy.value / 100))

    return _limit(current, changes, rules, now, allowed, {"Max": max, "Min": min})


def _down_limit(
    current: int, changes: Sequence[tuple[Timestamp, int]], rules: ScalingRules, now: Timestamp
) -> int:
    def allowed(policy: ScalingPolicy, start: int) -> int:
        if policy.type is PolicyType.PODS:
            return start - policy.value
        return int(start * (1 - policy.value / 100))

    return _limit(current, changes, rules, now, allowed, {"Max": min, "Min": max})


def _limit(
    current: int,
    changes: Sequence[tuple[Timestamp, int]],
    rules: ScalingRules,
    now: Timestamp,
    allowed: Callable[[ScalingPolicy, int], int],
    select: dict[str, Callable[[Iterable[int]], int]],
) -> int:
    """Return how far the policies let the number go from where their periods began."""
    if rules.select_policy is SelectPolicy.DISABLED:
        return current
    return select[rules.select_policy](
        allowed(policy, current - sum(_since(changes, now - policy.period_seconds * SECOND)))
        for policy in rules.policies
    )


def _said(limit: Said, allowed: int, asked: int) -> Sentence:
    return Sentence(
        "%(limit)s: %(allowed)s instead of %(asked)s",
        {"limit": limit, "allowed": allowed, "asked": asked},
    )


def _window(rules: ScalingRules) -> int:
    return (rules.stabilization_window_seconds or 0) * SECOND


def _recorded(
    past: Past, proposal: int, window: int, behavior: Behavior | None, now: Timestamp
) -> Past:
    """Add the proposal as it was before all this, and drop what nothing looks at any more.

    Only the lowest and the highest of a window count: of equal numbers the
    newest stays, so that there are never more than there are numbers.
    """
    rules = () if behavior is None else (behavior.filled().scale_up, behavior.filled().scale_down)
    period = max((p.period_seconds for each in rules for p in each.policies), default=0) * SECOND
    kept = tuple(
        each for each in past.recommendations if each[0] >= now - window and each[1] != proposal
    )
    changes = tuple(each for each in past.changes if each[0] >= now - period)
    return Past((*kept, (now, proposal)), changes)
