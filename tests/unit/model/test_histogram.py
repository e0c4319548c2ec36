"""Native histograms: layouts, bounds, coarser schemas, wider zero buckets, resets."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.model.classic_histogram import ClassicHistogram, base_name
from controlplane.model.histogram import (
    CounterResetHint,
    FloatHistogram,
    buckets_at,
    buckets_in,
    validate,
)
from controlplane.model.histogram_layout import (
    all_ranges,
    at_bounds,
    at_schema,
    coarser,
    upper_bounds,
    with_zero_threshold,
)
from controlplane.model.histogram_resets import is_reset
from controlplane.promql.histograms.text import parse_histogram
from tests.support.histograms import SOME, buckets, histograms


def read(text: str) -> FloatHistogram:
    return parse_histogram(text)[0]


@SOME
@given(buckets(-50, 50, st.floats(0, 1e9)))
def test_spans_and_indices_say_the_same(side: object) -> None:
    """A layout read from its own spans is the layout."""
    assert isinstance(side, type(buckets_at([], [])))
    again = buckets_in(side.spans(), side.counts)
    assert again.same(side)


def test_spans_count_from_the_run_before() -> None:
    """The first offset may be negative, later ones are gaps."""
    assert buckets_at([-3, -2, 0, 4], [1, 1, 1, 1]).spans() == [(-3, 2), (1, 1), (3, 1)]
    with pytest.raises(InvalidInput, match="need 3 buckets"):
        buckets_in([(0, 3)], [1.0, 2.0])
    with pytest.raises(InvalidInput, match="negative offset"):
        buckets_in([(0, 1), (-1, 1)], [1.0, 2.0])


@pytest.mark.parametrize("schema", range(-4, 9))
def test_bounds_are_powers_of_two(schema: int) -> None:
    """1 is a bound in every schema, and each power of two in those from 0 on."""
    step = 2**schema if schema >= 0 else 1
    indices = np.arange(-3, 4) * step
    power = 1 if schema >= 0 else 2**-schema
    assert upper_bounds(indices, schema).tolist() == [2.0 ** (n * power) for n in range(-3, 4)]


def test_bounds_between_powers() -> None:
    """Schema 1 divides by the root of two, rounded as upstream's table is."""
    assert upper_bounds(np.array([1]), 1).tolist() == [1.414213562373095]
    assert upper_bounds(np.array([-1]), 1).tolist() == [0.7071067811865475]


@pytest.mark.parametrize(("schema", "last"), [(0, 1024), (3, 8192), (-4, 64)])
def test_the_last_bound_is_the_largest_number(schema: int, last: int) -> None:
    """Behind it is the bucket of what is infinite."""
    bounds = upper_bounds(np.array([last, last + 1]), schema).tolist()
    assert bounds == [sys.float_info.max, math.inf]


@SOME
@given(histograms(custom=False), st.integers(1, 4))
def test_coarser_buckets_lie_where_the_finer_ones_lay(
    histogram: FloatHistogram, steps: int
) -> None:
    """No observation is lost, and each is in the bucket of its finer one's bound."""
    schema = max(histogram.schema - steps, -4)
    side, merged = histogram.positive, at_schema(histogram, schema).positive
    assert merged.counts.sum() == pytest.approx(side.counts.sum())
    uppers = upper_bounds(side.indices, histogram.schema)
    wanted = {
        int(np.searchsorted(upper_bounds(np.arange(-400, 401), schema), bound * (1 - 1e-12))) - 400
        for bound in uppers.tolist()
    }
    assert set(merged.indices.tolist()) == wanted
    assert coarser(side, 0) is side


def test_a_wider_zero_bucket_takes_whole_buckets() -> None:
    """A filled bucket across the wanted edge moves the edge; an empty one does not."""
    histogram = read("{{schema:0 count:7 z_bucket:1 z_bucket_w:0.1 buckets:[2 0 4]}}")
    wider = with_zero_threshold(histogram, 0.75)
    assert (wider.zero_threshold, wider.zero_count) == (1.0, 3.0)
    assert wider.compact().positive.indices.tolist() == [2]
    empty = with_zero_threshold(histogram, 1.5)
    assert (empty.zero_threshold, empty.zero_count) == (1.5, 3.0)


def test_a_negative_bucket_may_move_the_edge_further() -> None:
    """Both sides are asked again until none is cut."""
    histogram = read("{{schema:0 count:3 buckets:[1] n_offset:1 n_buckets:[2]}}")
    wider = with_zero_threshold(histogram, 1.25)
    assert (wider.zero_threshold, wider.zero_count) == (2.0, 3.0)


@SOME
@given(histograms())
def test_ranges_rise_and_hold_all(histogram: FloatHistogram) -> None:
    """Buckets in the order of their bounds have every observation."""
    ranges = all_ranges(histogram)
    assert ranges.counts.sum() == pytest.approx(histogram.count)
    if not histogram.zero_threshold:
        assert (ranges.lower[1:] >= ranges.upper[:-1] - 1e-12).all()
        assert (ranges.lower < ranges.upper).all() or ranges.zero >= 0


def test_custom_buckets_reach_to_the_infinities() -> None:
    """The first bucket has no lower bound, the last no upper one."""
    ranges = all_ranges(read("{{schema:-53 count:6 custom_values:[1 5] buckets:[1 2 3]}}"))
    assert ranges.lower.tolist() == [-math.inf, 1.0, 5.0]
    assert ranges.upper.tolist() == [1.0, 5.0, math.inf]
    merged = at_bounds(buckets_at([0, 1, 2], [1, 2, 3]), (1.0, 5.0), (5.0,))
    assert (merged.indices.tolist(), merged.counts.tolist()) == ([0, 1], [3.0, 3.0])


@SOME
@given(histograms())
def test_nothing_is_no_reset(histogram: FloatHistogram) -> None:
    """A histogram after itself, or with more observations, began nothing anew."""
    plain = histogram.hinted(CounterResetHint.UNKNOWN)
    assert not is_reset(plain, plain)
    more = replace(plain, count=plain.count + 1)
    assert not is_reset(more, plain)
    assert is_reset(plain, more)


BASE = "schema:1 count:6 z_bucket:1 z_bucket_w:0.01"


@pytest.mark.parametrize(
    ("before", "after", "reset"),
    [
        (f"{{{{{BASE} buckets:[2 3]}}}}", f"{{{{{BASE} buckets:[2 4]}}}}", False),
        (f"{{{{{BASE} buckets:[2 3]}}}}", f"{{{{{BASE} buckets:[3 2]}}}}", True),
        (f"{{{{{BASE} buckets:[2 3]}}}}", f"{{{{{BASE} buckets:[2]}}}}", True),
        (f"{{{{{BASE} buckets:[2 0]}}}}", f"{{{{{BASE} buckets:[2]}}}}", False),
        ("{{schema:1 count:6 buckets:[2]}}", "{{schema:2 count:6 buckets:[0 2]}}", True),
        ("{{schema:1 count:6 buckets:[0 2]}}", "{{schema:0 count:6 offset:1 buckets:[2]}}", False),
        ("{{count:2 z_bucket_w:1 z_bucket:2}}", "{{count:2 z_bucket:2}}", True),
        ("{{count:2 buckets:[2]}}", "{{count:2 z_bucket_w:1 z_bucket:2}}", False),
        ("{{count:2 buckets:[2]}}", "{{count:2 z_bucket_w:0.75 z_bucket:2}}", True),
        ("{{count:2 buckets:[2]}}", "{{count:1 buckets:[2] counter_reset_hint:not_reset}}", False),
        ("{{count:2 buckets:[2]}}", "{{count:2 buckets:[2] counter_reset_hint:reset}}", True),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}",
            "{{schema:-53 count:3 custom_values:[2 3] buckets:[3]}}",
            False,
        ),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}",
            "{{schema:-53 count:3 custom_values:[2 3] buckets:[2 1]}}",
            True,
        ),
        ("{{schema:-53 count:3 custom_values:[1] buckets:[3]}}", "{{count:3 buckets:[3]}}", True),
    ],
)
def test_resets(before: str, after: str, reset: bool) -> None:
    """Fewer observations anywhere, or what only a new beginning explains."""
    assert is_reset(read(after), read(before)) is reset


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{schema:9}}", "invalid schema"),
        ("{{schema:-5}}", "invalid schema"),
        ("{{schema:0 custom_values:[1]}}", "must not have custom bounds"),
        ("{{schema:0 count:-1}}", "negative number of observations"),
        ("{{schema:0 buckets:[-1]}}", "negative number of observations"),
        ("{{schema:-53 custom_values:[2 1]}}", "increasing order"),
        ("{{schema:-53 custom_values:[1 Inf]}}", "must be finite"),
        ("{{schema:-53 custom_values:[1] buckets:[1 1 1]}}", "too few"),
        ("{{schema:-53 z_bucket:1}}", "neither zero bucket"),
    ],
)
def test_what_no_program_sends_is_refused(text: str, words: str) -> None:
    """The reason is told."""
    with pytest.raises(InvalidInput, match=words):
        validate(read(text))


def test_classic_histograms_are_converted() -> None:
    """Counts are no longer cumulative; a missing +Inf bucket has the count."""
    classic = ClassicHistogram({2.0: 3.0, 1.0: 1.0}, 4.0, 9.0)
    assert classic.converted().same(
        read("{{schema:-53 count:4 sum:9 custom_values:[1 2] buckets:[1 2 1]}}")
    )
    assert ClassicHistogram({1.0: 1.0, math.inf: 2.0}).converted().count == 2
    with pytest.raises(InvalidInput, match="not cumulative"):
        ClassicHistogram({1.0: 2.0, 2.0: 1.0, math.inf: 2.0}, 2.0).converted()
    with pytest.raises(InvalidInput, match="count mismatch"):
        ClassicHistogram({math.inf: 2.0}, 3.0).converted()
    assert base_name("a_bucket") == ("a", "_bucket")
    assert base_name("a_total") == ("a_total", "")
