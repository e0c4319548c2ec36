"""One evaluation of a policy: from what was seen to a decision, with time as an argument.

The order of things is that of the HPA's `reconcileAutoscaler` and
`computeReplicasForMetrics`: the highest proposal counts; while a metric is
missing nothing is scaled down, and without any nothing is scaled at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controlplane.autoscale import thresholds
from controlplane.autoscale.behavior import Past, bound
from controlplane.autoscale.calculator import Tolerances, propose
from controlplane.autoscale.decision import Decision, Outcome, Verdict
from controlplane.autoscale.options import (
    DOWN,
    UP,
    Behavior,
    MetricOptions,
    MetricTarget,
    Policy,
    Threshold,
)
from controlplane.autoscale.reading import Reading, only
from controlplane.autoscale.sentence import Said, Sentence
from controlplane.autoscale.thresholds import Ask, Side, Watch
from controlplane.clock import Timestamp
from controlplane.model.duration import format_duration

_UNKNOWN: Final = Reading(problem=Sentence("it was not asked for"))


@dataclass(frozen=True, slots=True)
class Seen:
    """What an evaluation goes by: replicas, those that are ready, and metrics by name."""

    current: Reading
    metrics: Mapping[str, Reading]
    ready: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a policy remembers from one evaluation to the next.

    `desired` was decided last, `counted` is the number of replicas last seen.
    """

    past: Past = field(default_factory=Past)
    watches: Mapping[str, Watch] = field(default_factory=dict)
    desired: int | None = None
    counted: int | None = None


def decide(policy: Policy, state: State, seen: Seen, now: Timestamp) -> tuple[State, Decision]:
    """Return the decision, whose outcome is that of shadow mode, and the state after it."""
    if seen.current.problem:
        unknown = Sentence(
            "the number of replicas is not known: %(problem)s", {"problem": seen.current.problem}
        )
        return state, _held(policy, state, None, (), unknown, now)
    current = int(seen.current.total)
    state = replace(state, past=state.past.begun(current, now))
    if current == 0 and policy.min_replicas:
        said = Sentence("there are no replicas: somebody switched it off")
        return replace(state, desired=0), _made(
            policy, Outcome.DISABLED, current, 0, (), (said,), now
        )
    if current > policy.max_replicas:
        return _settled(policy, state, current, policy.max_replicas, "max_replicas", now)
    if current < policy.min_replicas:
        return _settled(policy, state, current, policy.min_replicas, "min_replicas", now)
    return _by_metrics(policy, state, current, seen, now)


def carried_out(state: State, decision: Decision) -> State:
    """Return the state once the number of replicas was changed."""
    if decision.current is None or decision.desired is None:
        return state
    past = state.past.changed(decision.current, decision.desired, decision.at)
    return replace(state, past=past)


def followed(state: State, current: int, now: Timestamp) -> State:
    """Return the state with a change that others made since the last evaluation, if any.

    For policies whose recommendations somebody else carries out: their rates
    are reckoned from what was seen to change.
    """
    if state.counted is None or state.counted == current:
        return replace(state, counted=current)
    past = state.past.changed(state.counted, current, now)
    return replace(state, past=past, counted=current)


def _by_metrics(
    policy: Policy, state: State, current: int, seen: Seen, now: Timestamp
) -> tuple[State, Decision]:
    watches, verdicts = dict(state.watches), list[Verdict]()
    ready = current if seen.ready is None else seen.ready
    for metric in policy.metrics:
        read = seen.metrics.get(metric.name, _UNKNOWN)
        watch = watches.get(metric.name, Watch())
        watches[metric.name], verdict = _judge(
            metric, read, watch, current, ready, tolerances_of(policy.behavior), now
        )
        verdicts.append(verdict)
    state = replace(state, watches=watches)
    missing = [each.metric for each in verdicts if each.missing]
    asked = [each.proposal for each in verdicts if each.proposal is not None]
    proposal = max(asked, default=current)
    if missing and (len(missing) == len(verdicts) or proposal < current):
        said = Sentence(
            "no value of %(metrics)s: nothing is scaled down on what is left",
            {"metrics": ", ".join(missing)},
        )
        if len(missing) == len(verdicts):
            said = Sentence("no metric has a value")
        return state, _held(policy, state, current, tuple(verdicts), said, now)
    limits = (policy.min_replicas, policy.max_replicas)
    past, bounded = bound(proposal, current, limits, policy.behavior, state.past, now)
    outcome = Outcome.UNCHANGED if bounded.replicas == current else Outcome.RECOMMENDED
    steps = (_highest(verdicts, proposal, current), *bounded.steps)
    decision = _made(policy, outcome, current, bounded.replicas, tuple(verdicts), steps, now)
    state = replace(state, past=past, desired=bounded.replicas)
    return state, replace(decision, limited_by_max=bounded.limited_by_max)


def _judge(
    metric: MetricOptions,
    read: Reading,
    watch: Watch,
    current: int,
    ready: int,
    tolerances: Tolerances,
    now: Timestamp,
) -> tuple[Watch, Verdict]:
    read = read if metric.target is not None else only(read)
    if read.problem:
        # Nobody knows what was meanwhile: a limit has to be passed anew.
        return Watch(), Verdict(metric.name, None, None, "missing", read.problem)
    if metric.target is not None:
        verdict = _against_target(metric.name, metric.target, read, current, ready, tolerances)
        return watch, verdict
    up, down = metric.thresholds
    watch, ask = thresholds.step(watch, read.total, current, now, up, down)
    limit = {Side.HIGH: up, Side.LOW: down, Side.CALM: None}[ask.side]
    word, because = _against_thresholds(read.total, ask, limit)
    return watch, Verdict(metric.name, read.total, ask.replicas, word, because)


def _against_thresholds(value: float, ask: Ask, limit: Threshold | None) -> tuple[str, Sentence]:
    """Return how a value stands to the limit that it has passed, in one word and in many."""
    shown = f"{value:.6g}"
    if limit is None:
        return "calm", Sentence("%(value)s is within its thresholds", {"value": shown})
    values = {"value": shown, "limit": f"{limit.threshold:g}"}
    if ask.side is Side.HIGH:
        word, because = "up", Sentence("%(value)s is over %(limit)s", values)
    else:
        word, because = "down", Sentence("%(value)s is under %(limit)s", values)
    if ask.wait:
        return "waiting", Sentence(
            "%(finding)s, but must be so for %(wait)s more",
            {"finding": because, "wait": format_duration(ask.wait)},
        )
    if limit.for_:
        return word, Sentence(
            "%(finding)s for %(time)s", {"finding": because, "time": format_duration(limit.for_)}
        )
    return word, because


def _against_target(
    name: str,
    target: MetricTarget,
    read: Reading,
    current: int,
    ready: int,
    tolerances: Tolerances,
) -> Verdict:
    asked = propose(read.values, target, current, ready, tolerances)
    because = Sentence(
        "%(value)s is %(ratio)s times the target of %(target)s",
        {
            "value": f"{read.total:.6g}",
            "ratio": f"{asked.ratio:.4g}",
            "target": f"{target.value:g}",
        },
    )
    if len(read.values) > 1:
        because = Sentence(
            "%(count)s series, %(finding)s", {"count": len(read.values), "finding": because}
        )
    word = "hold"
    if asked.tolerated:
        word = "tolerated"
        because = Sentence("%(finding)s, within the tolerance", {"finding": because})
    elif asked.replicas != current:
        word = "up" if asked.replicas > current else "down"
    return Verdict(name, read.total, asked.replicas, word, because)


def tolerances_of(behavior: Behavior | None) -> Tolerances:
    """Return how far from 1 ratios may be, the HPA's default where a policy says nothing."""
    filled = (behavior or Behavior()).filled()
    up, down = filled.scale_up.tolerance, filled.scale_down.tolerance
    usual_up, usual_down = UP.tolerance or 0.0, DOWN.tolerance or 0.0
    return Tolerances(usual_down if down is None else down, usual_up if up is None else up)


def _highest(verdicts: list[Verdict], proposal: int, current: int) -> Sentence:
    named = [each.metric for each in verdicts if each.proposal == proposal]
    if not named:
        return Sentence("no metric asks for anything: %(current)s as it is", {"current": current})
    return Sentence(
        "%(metrics)s asks for %(proposal)s, the highest of all",
        {"metrics": ", ".join(named), "proposal": proposal},
    )


def _settled(
    policy: Policy, state: State, current: int, limit: int, name: str, now: Timestamp
) -> tuple[State, Decision]:
    said = Sentence(
        "%(bound)s is %(limit)s, and there are %(current)s: metrics are not asked",
        {"bound": name, "limit": limit, "current": current},
    )
    decision = _made(policy, Outcome.RECOMMENDED, current, limit, (), (said,), now)
    return replace(state, desired=limit), decision


def _held(
    policy: Policy,
    state: State,
    current: int | None,
    verdicts: tuple[Verdict, ...],
    said: Said,
    now: Timestamp,
) -> Decision:
    desired = current if state.desired is None else state.desired
    if desired:
        desired = min(max(desired, policy.min_replicas), policy.max_replicas)
    steps = (said, Sentence("what was decided last stands"))
    return _made(policy, Outcome.HELD, current, desired, verdicts, steps, now)


def _made(
    policy: Policy,
    outcome: Outcome,
    current: int | None,
    desired: int | None,
    verdicts: tuple[Verdict, ...],
    steps: tuple[Said, ...],
    now: Timestamp,
) -> Decision:
    return Decision(policy.name, now, policy.mode, outcome, current, desired, verdicts, steps)
