"""From a metric with thresholds to a number of replicas: the one state machine of a pair.

           value > up                              value < down
    calm ────────────> high: since t       calm ────────────> low: since t
    high ──for is over──> current + step   low ──for is over──> current - step
    any ──a change of the number of replicas──> its time begins anew

A metric without a lower threshold has no say while it is calm: few errors are
no reason to keep replicas, nor to have fewer.
"""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.autoscale.options import Threshold
from controlplane.clock import Duration, Timestamp


class Side(StrEnum):
    """Where a value stands."""

    CALM = "calm"
    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Watch:
    """Since when a value stands where it stands, with so many replicas."""

    side: Side = Side.CALM
    since: Timestamp = 0
    replicas: int = -1


@dataclass(frozen=True, slots=True)
class Ask:
    """What a metric asks for: None is no say. `wait` is how long its `for` has yet to run."""

    replicas: int | None
    side: Side
    wait: Duration = 0


def step(
    watch: Watch,
    value: float,
    current: int,
    now: Timestamp,
    up: Threshold | None,
    down: Threshold | None,
) -> tuple[Watch, Ask]:
    """Return the next state and what is asked for."""
    side = _side(value, up, down)
    if side is not watch.side or current != watch.replicas:
        watch = Watch(side, now, current)
    held = now - watch.since
    if side is Side.HIGH and up is not None:
        if held < up.for_:
            return watch, Ask(current, side, up.for_ - held)
        return watch, Ask(current + up.step, side)
    if side is Side.LOW and down is not None:
        if held < down.for_:
            return watch, Ask(current, side, down.for_ - held)
        return watch, Ask(max(0, current - down.step), side)
    return watch, Ask(None if down is None else current, side)


def _side(value: float, up: Threshold | None, down: Threshold | None) -> Side:
    if up is not None and value > up.threshold:
        return Side.HIGH
    if down is not None and value < down.threshold:
        return Side.LOW
    return Side.CALM
