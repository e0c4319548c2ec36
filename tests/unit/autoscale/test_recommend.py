"""Decisions of whole policies, and what holds of all of them."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.autoscale.decision import Decision, Outcome
from controlplane.autoscale.options import (
    Behavior,
    Kind,
    MetricOptions,
    MetricTarget,
    Policy,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    Threshold,
)
from controlplane.autoscale.reading import Reading
from controlplane.autoscale.recommend import Seen, State, carried_out, decide

NOW = 1_700_000_000_000
STEP = 15_000
LOAD = MetricOptions("load", "load", target=MetricTarget(10))
QUEUE = MetricOptions("queue", "queue", target=MetricTarget(10))
MISSING = Reading(problem="the query gives no series")


def policy(*metrics: MetricOptions, least: int = 1, most: int = 20) -> Policy:
    return Policy("shop", most, metrics or (LOAD,), least)


def seen(current: float, **values: float | None) -> Seen:
    """Return what is seen; None is missing."""
    return Seen(
        Reading((current,)),
        {name: MISSING if value is None else Reading((value,)) for name, value in values.items()},
    )


def once(p: Policy, s: Seen, state: State | None = None) -> Decision:
    return decide(p, state or State(), s, NOW)[1]


def test_the_highest_proposal_counts() -> None:
    """Each metric says what it asks for; the trace tells all of it in words."""
    made = once(policy(LOAD, QUEUE), seen(4, load=15, queue=19))
    assert (made.outcome, made.current, made.desired) == (Outcome.RECOMMENDED, 4, 8)
    assert [(v.metric, v.proposal, v.verdict) for v in made.verdicts] == [
        ("load", 6, "up"),
        ("queue", 8, "up"),
    ]
    assert str(made.verdicts[0].because) == "15 is 1.5 times the target of 10"
    assert list(map(str, made.steps)) == ["queue asks for 8, the highest of all"]


def test_missing_is_never_zero() -> None:
    """Without any value the last decision stands, whatever the number of replicas became."""
    p, state = policy(), State()
    state, first = decide(p, state, seen(4, load=15), NOW)
    assert first.desired == 6
    _, made = decide(p, state, seen(4, load=None), NOW + STEP)
    assert (made.outcome, made.desired) == (Outcome.HELD, 6)
    assert list(map(str, made.steps)) == ["no metric has a value", "what was decided last stands"]
    _, fresh = decide(p, State(), seen(4, load=None), NOW)
    assert (fresh.outcome, fresh.desired) == (Outcome.HELD, 4)


def test_a_missing_metric_forbids_only_the_way_down() -> None:
    """What is left may ask for more, as with the HPA, but not for fewer."""
    p = policy(LOAD, QUEUE)
    assert once(p, seen(4, load=None, queue=20)).desired == 8
    down = once(p, seen(4, load=None, queue=1))
    assert (down.outcome, down.desired) == (Outcome.HELD, 4)
    assert str(down.steps[0]) == "no value of load: nothing is scaled down on what is left"


def test_replicas_that_nobody_can_count() -> None:
    """Nothing is decided, and what was decided stands."""
    blind = Seen(MISSING, {"load": Reading((100,))})
    made = once(policy(), blind, State(desired=7))
    assert (made.outcome, made.current, made.desired) == (Outcome.HELD, None, 7)
    assert once(policy(), blind).desired is None


def test_a_held_decision_stays_within_new_bounds() -> None:
    """A reload that lowers the maximum counts for it too."""
    assert once(policy(most=5), seen(4, load=None), State(desired=9)).desired == 5


def test_zero_replicas_switch_it_off() -> None:
    """As the HPA does, unless zero is allowed."""
    off = once(policy(), seen(0, load=100))
    assert (off.outcome, off.desired) == (Outcome.DISABLED, 0)
    assert once(policy(least=0), seen(0, load=25)).desired == 3


def test_numbers_beyond_the_bounds_are_put_right_at_once() -> None:
    """Metrics are not asked, and no stabilisation waits."""
    above = once(policy(most=5), seen(9, load=100))
    assert (above.desired, above.verdicts) == (5, ())
    assert once(policy(least=3), seen(1, load=0)).desired == 3


def test_the_tolerance_is_told() -> None:
    """A ratio near 1 changes nothing and says why."""
    made = once(policy(), seen(10, load=10.5))
    assert (made.outcome, made.verdicts[0].verdict) == (Outcome.UNCHANGED, "tolerated")
    assert str(made.verdicts[0].because).endswith("within the tolerance")
    strict = replace(policy(), behavior=Behavior(scale_up=ScalingRules(tolerance=0.0)))
    assert once(strict, seen(10, load=10.5)).desired == 11


def test_default_thresholds() -> None:
    """CPU goes up over 0.7 and down under 0.3; memory over 0.8 and under 0.5; in steps of one."""
    p = policy(MetricOptions("cpu", "c", Kind.CPU), MetricOptions("mem", "m", Kind.MEMORY))
    fast = replace(p, behavior=Behavior(scale_down=ScalingRules(0)))
    assert once(fast, seen(4, cpu=0.71, mem=0.6)).desired == 5
    assert once(fast, seen(4, cpu=0.7, mem=0.6)).desired == 4
    assert once(fast, seen(4, cpu=0.2, mem=0.81)).desired == 5
    assert once(fast, seen(4, cpu=0.2, mem=0.6)).desired == 4
    assert once(fast, seen(4, cpu=0.2, mem=0.4)).desired == 3
    assert once(p, seen(4, cpu=0.2, mem=0.4)).desired == 4  # five minutes of stabilisation


def test_latency_and_errors_must_last() -> None:
    """Over 500 ms, or over 5 % of errors, for two minutes; then one more, and two minutes anew."""
    p = policy(MetricOptions("p99", "l", Kind.LATENCY), MetricOptions("err", "e", Kind.ERROR_RATE))
    state, slow = State(), seen(4, p99=0.6, err=0.0)
    for tick in range(8):
        state, made = decide(p, state, slow, NOW + tick * STEP)
        assert (made.desired, made.verdicts[0].verdict) == (4, "waiting")
    state, made = decide(p, state, slow, NOW + 8 * STEP)
    assert made.desired == 5
    assert str(made.verdicts[0].because) == "0.6 is over 0.5 for 2m"
    state, made = decide(p, state, seen(5, p99=0.6, err=0.0), NOW + 9 * STEP)
    assert (made.desired, made.verdicts[0].verdict) == (5, "waiting")


def test_a_gap_begins_the_time_anew() -> None:
    """While a value is missing nobody knows that the limit was passed."""
    p = policy(MetricOptions("p99", "l", up=Threshold(0.5, 30_000)))
    state, _ = decide(p, State(), seen(4, p99=0.6), NOW)
    state, _ = decide(p, state, seen(4, p99=None), NOW + STEP)
    state, made = decide(p, state, seen(4, p99=0.6), NOW + 2 * STEP)
    assert made.verdicts[0].verdict == "waiting"
    assert decide(p, state, seen(4, p99=0.6), NOW + 4 * STEP)[1].desired == 5


def test_few_errors_have_no_say() -> None:
    """A metric without a lower threshold does not hold replicas that another can do without."""
    p = policy(LOAD, MetricOptions("err", "e", Kind.ERROR_RATE))
    state = State(desired=4)
    state, _ = decide(p, state, seen(4, load=1, err=0.01), NOW - 400_000)
    assert decide(p, state, seen(4, load=1, err=0.01), NOW)[1].desired == 1
    alone = policy(MetricOptions("err", "e", Kind.ERROR_RATE))
    assert list(map(str, once(alone, seen(4, err=0.01)).steps)) == [
        "no metric asks for anything: 4 as it is"
    ]


def test_a_ratio_of_two_series_is_none() -> None:
    """Thresholds need one series: two ratios cannot be added up."""
    p = policy(MetricOptions("cpu", "c", Kind.CPU))
    made = once(p, Seen(Reading((4,)), {"cpu": Reading((0.5, 0.6))}))
    assert made.outcome is Outcome.HELD
    assert str(made.verdicts[0].because) == "the query gives 2 series where one is needed"


def test_repeats_are_recognised() -> None:
    """A value that moves is no new decision; another verdict is."""
    first, same = once(policy(), seen(4, load=15)), once(policy(), seen(4, load=15.1))
    assert not first.repeats(None)
    assert once(policy(), seen(4, load=14.9)).repeats(first)
    assert same.desired == 7
    assert not same.repeats(first)


values = st.one_of(st.none(), st.floats(0, 200, allow_nan=False))
scaling_policies = st.builds(
    ScalingPolicy, st.sampled_from(PolicyType), st.integers(1, 50), st.integers(1, 120)
)
scaling_rules = st.builds(
    ScalingRules, st.integers(0, 300), st.lists(scaling_policies, max_size=2).map(tuple)
)
behaviors = st.one_of(st.none(), st.builds(Behavior, scaling_rules, scaling_rules))


@given(st.lists(values, min_size=1, max_size=60), behaviors, st.integers(0, 5), st.integers(1, 15))
@settings(max_examples=150, deadline=None)
def test_bounds_hold_and_nothing_oscillates(
    loads: list[float | None], behavior: Behavior | None, least: int, more: int
) -> None:
    """Replicas stay in bounds, and no change is undone within the window that guards it.

    Every decision is carried out. Nothing goes down within scaleDown's window of
    a change up, nor up within scaleUp's window of a change down; and a way down
    ends no lower than the highest recommendation of its window.
    """
    p = replace(policy(least=least, most=least + more), behavior=behavior)
    filled = (behavior or Behavior()).filled()
    down = (filled.scale_down.stabilization_window_seconds or 0) * 1000
    up = (filled.scale_up.stabilization_window_seconds or 0) * 1000
    state, current, asked = State(), max(least, 1), list[tuple[int, int]]()
    last_up = last_down = NOW - 1_000_000
    for tick, load in enumerate(loads):
        now = NOW + tick * STEP
        state, made = decide(p, state, seen(current, load=load), now)
        assert made.desired is not None
        assert least <= made.desired <= least + more
        if made.outcome in (Outcome.HELD, Outcome.DISABLED):
            assert made.desired == current
            continue
        asked.append((now, state.past.recommendations[-1][1]))
        if made.desired < current:
            assert made.desired >= max(
                number for at, number in asked if at > now - down or at == now
            )
            assert behavior is None or now - last_up >= down
            last_down = now
        elif made.desired > current:
            assert now - last_down >= up
            last_up = now
        if made.outcome is Outcome.RECOMMENDED:
            state, current = carried_out(state, made), made.desired
