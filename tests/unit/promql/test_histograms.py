"""Arithmetic of native histograms: sums, quantiles, what is left after trimming, text."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.histogram import CounterResetHint, FloatHistogram
from controlplane.model.histogram_layout import all_ranges
from controlplane.promql.histograms.arithmetic import (
    IncompatibleBuckets,
    add,
    divided,
    multiplied,
    subtract,
)
from controlplane.promql.histograms.quantiles import fraction, quantile
from controlplane.promql.histograms.statistics import average, deviation, variance
from controlplane.promql.histograms.summing import mean, total
from controlplane.promql.histograms.text import parse_histogram, printed, written
from controlplane.promql.histograms.trimming import trimmed
from controlplane.promql.testing.comparing import nearly_same
from controlplane.promql.testing.notation import WrittenHistogram
from tests.support.histograms import SOME, histograms


def read(text: str) -> FloatHistogram:
    return parse_histogram(text)[0]


def same(left: FloatHistogram, right: FloatHistogram) -> bool:
    return nearly_same(WrittenHistogram(left), right)


@SOME
@given(histograms())
def test_written_is_read_back(histogram: FloatHistogram) -> None:
    """What tests write and what failures show is one notation."""
    again, hinted = parse_histogram(written(histogram))
    assert same(histogram, again)
    assert again.hint is histogram.hint
    assert hinted is (histogram.hint is not CounterResetHint.UNKNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "{{bucket:[1]}}",
        "{{schema:1 schema:2}}",
        "{{schema:x}}",
        "{{schema:1.5}}",
        "{{buckets:1}}",
        "{{buckets:[a]}}",
        "{{sum:[1]}}",
        "{{sum:a}}",
        "{{counter_reset_hint:maybe}}",
        "{{x}}",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    """The text is in the error."""
    with pytest.raises(InvalidInput):
        parse_histogram(text)


def test_printed_as_upstream_prints() -> None:
    """Buckets from the lowest on, with the bounds that belong to them."""
    histogram = read(
        "{{schema:0 count:7 sum:2 z_bucket:1 z_bucket_w:0.25 buckets:[2] n_buckets:[3 1]}}"
    )
    assert printed(histogram) == (
        "{count:7, sum:2, [-2,-1):1, [-1,-0.5):3, [-0.25,0.25]:1, (0.5,1]:2}"
    )
    custom = read("{{schema:-53 count:3 custom_values:[1 2] buckets:[1 0 2]}}")
    assert printed(custom) == "{count:3, sum:0, [-Inf,1]:1, (2,+Inf]:2}"


@SOME
@given(histograms(custom=False), histograms(custom=False))
def test_sums_do_not_depend_on_the_order(left: FloatHistogram, right: FloatHistogram) -> None:
    """Which of two is first does not matter, and no observation is lost."""
    one, other = add(left, right).histogram, add(right, left).histogram
    assert same(one, other)
    assert one.count == pytest.approx(left.count + right.count)
    assert all_ranges(one).counts.sum() == pytest.approx(one.count)
    assert one.schema == min(left.schema, right.schema)


@SOME
@given(histograms(custom=True), histograms(custom=True))
def test_custom_bounds_are_those_of_both(left: FloatHistogram, right: FloatHistogram) -> None:
    """What lies between two common bounds is in one bucket."""
    combined = add(left, right)
    common = set(left.custom_values) & set(right.custom_values)
    assert set(combined.histogram.custom_values) == common
    assert combined.reconciled is (left.custom_values != right.custom_values)
    assert all_ranges(combined.histogram).counts.sum() == pytest.approx(left.count + right.count)


@SOME
@given(histograms(whole=True), histograms(whole=True))
def test_what_is_added_can_be_taken_away(left: FloatHistogram, right: FloatHistogram) -> None:
    """Subtracting gives the first one in the layout of the sum."""
    assume(left.is_custom == right.is_custom)
    total, laid_out = add(left, right).histogram, add(left, multiplied(right, 0.0)).histogram
    # A bucket that holds something may widen the zero bucket, an empty one never does.
    assume(total.zero_threshold == laid_out.zero_threshold)
    back = subtract(total, right).histogram
    assert same(back.compact(), laid_out.compact())


@SOME
@given(st.lists(histograms(custom=False, whole=True), min_size=1, max_size=5))
def test_many_are_summed_as_one_after_the_other(found: list[FloatHistogram]) -> None:
    """The sum of a list is what adding them in turn gives; the mean is its share."""
    folded = found[0]
    for other in found[1:]:
        folded = add(folded, other).histogram
    assert same(total(found).histogram, folded)
    assert mean(found).histogram.count == pytest.approx(folded.count / len(found))


def test_a_mean_does_not_overflow() -> None:
    """Where the sum is too large for a float, the shares are added."""
    large = read("{{count:1e308 sum:1e308 buckets:[1e308]}}")
    found = mean([large, large, large, large]).histogram
    assert found.count == pytest.approx(1e308)
    assert found.positive.counts[0] == pytest.approx(1e308)


def test_kinds_of_buckets_do_not_mix() -> None:
    """Exponential and custom ones have no sum."""
    custom, exponential = read("{{schema:-53 custom_values:[1]}}"), read("{{schema:0}}")
    for combine in (add, subtract):
        with pytest.raises(IncompatibleBuckets):
            combine(custom, exponential)
    with pytest.raises(IncompatibleBuckets):
        total([custom, exponential])


@pytest.mark.parametrize(
    ("left", "right", "hint", "collision"),
    [
        ("reset", "reset", CounterResetHint.RESET, False),
        ("reset", "not_reset", CounterResetHint.UNKNOWN, True),
        ("unknown", "not_reset", CounterResetHint.UNKNOWN, False),
        ("gauge", "reset", CounterResetHint.GAUGE, False),
    ],
)
def test_hints_of_sums(left: str, right: str, hint: CounterResetHint, collision: bool) -> None:
    """Opposed hints are told and forgotten; a gauge makes a gauge."""
    pair = [read(f"{{{{counter_reset_hint:{each}}}}}") for each in (left, right)]
    combined = add(*pair)
    assert (combined.histogram.hint, combined.collision) == (hint, collision)
    assert total(pair).collision is collision


def test_scaling() -> None:
    """By a negative number it is a gauge; divided by 0 no bucket is left."""
    histogram = read("{{count:4 sum:2 z_bucket:1 buckets:[3]}}")
    assert written(multiplied(histogram, -2)) == (
        "{{count:-8 sum:-4 z_bucket:-2 counter_reset_hint:gauge buckets:[-6]}}"
    )
    assert len(divided(histogram, 0).positive) == 0
    assert divided(histogram, 0).count == math.inf


@SOME
@given(histograms(), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_quantiles_rise_with_their_rank(histogram: FloatHistogram, ranks: list[float]) -> None:
    """A higher rank has no lower value."""
    assume(histogram.count > 1e-6 and (histogram.custom_values or not histogram.is_custom))
    values = [quantile(rank, histogram).value for rank in sorted(ranks)]
    assert all(a <= b + 1e-9 * max(1, abs(b)) for a, b in pairwise(values))


@SOME
@given(histograms(custom=False), st.floats(0.01, 0.99))
def test_fractions_undo_quantiles(histogram: FloatHistogram, rank: float) -> None:
    """The share of observations below a quantile is its rank, inside of filled buckets."""
    sides = histogram.positive.counts.sum() + histogram.negative.counts.sum()
    assume(sides > 1e-6)
    histogram = replace(histogram, count=float(sides), zero_count=0.0, zero_threshold=0.0)
    value = quantile(rank, histogram).value
    assert fraction(-math.inf, value, histogram).value == pytest.approx(rank, abs=1e-6)


@pytest.mark.parametrize(
    ("rank", "value"), [(-0.1, -math.inf), (1.1, math.inf), (math.nan, math.nan)]
)
def test_ranks_that_are_none(rank: float, value: float) -> None:
    """They are infinite, or no number."""
    found = quantile(rank, read("{{count:2 buckets:[2]}}")).value
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_nothing_has_no_quantile_nor_fraction() -> None:
    """Without observations both are no number."""
    assert math.isnan(quantile(0.5, FloatHistogram()).value)
    assert math.isnan(fraction(0, 1, FloatHistogram()).value)
    assert math.isnan(average(FloatHistogram()))


def test_an_empty_range_has_nothing() -> None:
    """A fraction from a value to one below it is 0."""
    assert fraction(2, 1, read("{{count:2 buckets:[2]}}")).value == 0


@SOME
@given(histograms(), st.floats(-1e3, 1e3))
def test_what_is_trimmed_is_on_one_side(histogram: FloatHistogram, value: float) -> None:
    """Both parts together have at most all observations, and each lies on its side."""
    below = trimmed(histogram, value, keep_below=True)
    above = trimmed(histogram, value, keep_below=False)
    assert below.count + above.count <= histogram.count * (1 + 1e-9) + 1e-9
    if not histogram.is_custom:
        assert below.count + above.count == pytest.approx(histogram.count)
        inside = all_ranges(above)
        assert (inside.upper[inside.counts > 0] >= value).all()


def test_trimming_nothing_changes_nothing() -> None:
    """The sum is estimated only once something is gone."""
    histogram = read("{{count:4 sum:7 buckets:[4]}}")
    assert trimmed(histogram, 1, keep_below=True) is histogram
    assert trimmed(histogram, 0.5, keep_below=False) is histogram


@pytest.mark.parametrize(
    ("value", "keep_below", "count", "total"),
    [
        (0.5, True, 1.0, 0.25),  # the first bucket begins at 0
        (2.0, True, 4.0, 4.0),
        (3.0, True, 4.0, 4.0),  # how far (2, +Inf] reaches nobody knows
        (1.5, False, 4.0, 7.75),
        (3.0, False, 3.0, 9.0),
    ],
)
def test_custom_buckets_are_trimmed_evenly(
    value: float, keep_below: bool, count: float, total: float
) -> None:
    """Within a bucket observations lie evenly; infinite ones are taken or left whole."""
    histogram = read("{{schema:-53 count:7 sum:20 custom_values:[1 2] buckets:[2 2 3]}}")
    found = trimmed(histogram, value, keep_below=keep_below)
    assert found.count == count
    assert found.sum == pytest.approx(total)


def test_statistics() -> None:
    """Observations stand in the middles of their buckets."""
    histogram = read("{{count:4 sum:6 offset:1 buckets:[4]}}")
    assert average(histogram) == 1.5
    assert variance(histogram) == pytest.approx((math.sqrt(2) - 1.5) ** 2)
    assert deviation(histogram) == pytest.approx(1.5 - math.sqrt(2))
    custom = read("{{schema:-53 count:2 sum:3 custom_values:[1 2] buckets:[0 2]}}")
    assert variance(custom) == 0
