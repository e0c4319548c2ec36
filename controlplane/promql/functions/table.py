"""The one table of functions: what the plan does for each name."""

import math
from collections.abc import Callable
from typing import Final, cast

import numpy as np

from controlplane.model.histogram import FloatHistogram
from controlplane.model.histogram_resets import is_reset
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.matchers import MatchOp
from controlplane.model.samples import Mask, Values
from controlplane.promql.ast import (
    Expr,
    MatrixSelector,
    VectorSelector,
)
from controlplane.promql.frame import Frame
from controlplane.promql.functions import (
    histogram_calls,
    mixed,
    over_time,
    regression,
)
from controlplane.promql.functions.arguments import Arguments, Builder, Node
from controlplane.promql.functions.calls import (
    Absent,
    Clamp,
    Elementwise,
    Numbers,
    Relabel,
    SampleTimes,
    ScalarCall,
    Timestamp,
    ToScalar,
    ToVector,
)
from controlplane.promql.functions.dates import DATES
from controlplane.promql.functions.elementwise import MATH, clamped, rounded
from controlplane.promql.functions.info import Info, reference
from controlplane.promql.functions.labelling import joiner, replacer
from controlplane.promql.functions.sorting import Sort
from controlplane.promql.functions.windowed import (
    combining,
    counting,
    ignoring,
    of_last_two,
    paired,
    picking,
    predict_linear,
    quantile_over_time,
    rated,
    smoothed,
)
from controlplane.promql.histograms.statistics import average, deviation, variance
from controlplane.promql.histograms.summing import mean, total
from controlplane.promql.selecting import (
    InstantSelection,
)
from controlplane.promql.series import SeriesSet


def _math(function: Callable[[Values], Values]) -> Builder:
    return lambda args: Elementwise(function, args.floats(0), late=args.late)


def _date(function: Callable[[Values], Values]) -> Builder:
    def build(args: Arguments) -> Node:
        if len(args):
            return Elementwise(function, args.floats(0), late=args.late)
        return ToVector(ScalarCall(lambda frame: np.floor(frame.seconds)), function)

    return build


def _constant(function: Numbers) -> Builder:
    return lambda _: ScalarCall(function)


def _filled(frame: Frame, value: float) -> Values:
    return np.full(frame.steps, value)


def _choice(function: Callable[[Values, Values], Values]) -> Builder:
    def build(args: Arguments) -> Node:
        left, right = args.scalar(0), args.scalar(1)
        return ScalarCall(lambda frame: function(left.scalar(frame), right.scalar(frame)))

    return build


def _round(args: Arguments) -> Node:
    one = ScalarCall(lambda frame: _filled(frame, 1.0))
    nearest = args.scalar(1) if len(args) > 1 else one
    return Elementwise(rounded, args.floats(0), [nearest], late=args.late)


def _clamp(args: Arguments) -> Node:
    return Clamp(clamped, args.floats(0), args.scalars(1), late=args.late)


def _clamp_min(args: Arguments) -> Node:
    return Elementwise(np.maximum, args.floats(0), args.scalars(1), late=args.late)


def _clamp_max(args: Arguments) -> Node:
    return Elementwise(np.minimum, args.floats(0), args.scalars(1), late=args.late)


def _absent(args: Arguments) -> Node:
    vector = args.vector(0)

    def there(frame: Frame) -> Mask:
        found: Mask = np.any(vector.evaluate(frame).present, axis=0)
        return found

    return Absent(there, SeriesSet([absent_labels(args.call.args[0])]), late=False)


def _absent_over_time(args: Arguments) -> Node:
    matrix = args.matrix(0)

    def there(frame: Frame) -> Mask:
        windows = matrix.windows(frame)
        found: Mask = np.any(windows.high > windows.low, axis=0)
        return found

    return Absent(there, SeriesSet([absent_labels(args.call.args[0])]), late=args.late)


def absent_labels(expr: Expr) -> Labels:
    """Return the labels that a missing series would surely have had."""
    selector = expr.selector if isinstance(expr, MatrixSelector) else expr
    if not isinstance(selector, VectorSelector):
        return Labels()
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            found[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return Labels(found)


def _timestamp(args: Arguments) -> Node:
    vector = args.vector(0)
    if isinstance(vector, InstantSelection):
        return Elementwise(np.asarray, SampleTimes(vector), late=args.late)
    return Timestamp(vector, late=args.late)


def _label_replace(args: Arguments) -> Node:
    words = tuple(args.strings(1))
    return Relabel(args.vector(0), replacer(*words), ("replace", words))


def _label_join(args: Arguments) -> Node:
    words = tuple(args.strings(1))
    return Relabel(args.vector(0), joiner(words[0], words[1], words[2:]), ("join", words))


def _sort(*, reverse: bool) -> Builder:
    return lambda args: Sort(args.floats(0), args.call.span, reverse=reverse)


def _sort_by_label(*, reverse: bool) -> Builder:
    return lambda args: Sort(
        args.vector(0), args.call.span, reverse=reverse, labels=args.strings(1)
    )


def _histogram_quantile(args: Arguments) -> Node:
    return histogram_calls.Quantile(
        args.scalar(0), args.span(0), args.vector(1), args.span(1), late=args.late
    )


def _histogram_quantiles(args: Arguments) -> Node:
    ranks = [(args.scalar(index), args.span(index)) for index in range(2, len(args))]
    return histogram_calls.Quantiles(
        args.vector(0), args.string(1), ranks, args.span(0), late=args.late
    )


def _histogram_fraction(args: Arguments) -> Node:
    return histogram_calls.Fraction(
        args.scalar(0), args.scalar(1), args.vector(2), args.span(2), late=args.late
    )


def _native(function: Callable[[FloatHistogram], float]) -> Builder:
    return lambda args: histogram_calls.OfHistograms(function, args.vector(0), late=args.late)


def _info(args: Arguments) -> Node:
    label_selector = VectorSelector("", ())
    if len(args) > 1:
        label_selector = cast(VectorSelector, args.call.args[1])
    node = Info(args.vector(0), reference(args.call.args[0]), label_selector)
    args.selectors.append(node.selector)
    return node


FUNCTIONS: Final[dict[str, Builder]] = {
    **{name: _math(function) for name, function in MATH.items()},
    **{name: _date(function) for name, function in DATES.items()},
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "avg_over_time": combining(over_time.mean, mean),
    "changes": paired(over_time.changes, over_time.changed, mixed.changed),
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "count_over_time": counting(over_time.count),
    "delta": rated(counter=False, per_second=False),
    "deriv": ignoring(regression.slopes, least=2),
    "double_exponential_smoothing": smoothed,
    "end": _constant(lambda frame: _filled(frame, frame.end / 1000)),
    "first_over_time": picking(over_time.first, lambda windows: windows.low),
    "histogram_avg": _native(average),
    "histogram_count": _native(lambda histogram: histogram.count),
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    "histogram_stddev": _native(deviation),
    "histogram_stdvar": _native(variance),
    "histogram_sum": _native(lambda histogram: histogram.sum),
    "idelta": of_last_two(counter=False),
    "increase": rated(counter=True, per_second=False),
    "info": _info,
    "irate": of_last_two(counter=True),
    "label_join": _label_join,
    "label_replace": _label_replace,
    "last_over_time": picking(over_time.last, lambda windows: windows.high - 1),
    "mad_over_time": ignoring(over_time.absolute_deviation),
    "max_of": _choice(np.maximum),
    "max_over_time": ignoring(over_time.greatest),
    "min_of": _choice(np.minimum),
    "min_over_time": ignoring(over_time.least),
    "pi": _constant(lambda frame: _filled(frame, math.pi)),
    "predict_linear": predict_linear,
    "present_over_time": counting(over_time.present),
    "quantile_over_time": quantile_over_time,
    "range": _constant(lambda frame: _filled(frame, (frame.end - frame.start) / 1000)),
    "rate": rated(counter=True, per_second=True),
    "resets": paired(over_time.resets, over_time.fell, is_reset),
    "round": _round,
    "scalar": lambda args: ToScalar(args.floats(0)),
    "sort": _sort(reverse=False),
    "sort_by_label": _sort_by_label(reverse=False),
    "sort_by_label_desc": _sort_by_label(reverse=True),
    "sort_desc": _sort(reverse=True),
    "start_timestamp": lambda args: histogram_calls.Nothing(args.vector(0)),
    "start": _constant(lambda frame: _filled(frame, frame.start / 1000)),
    "stddev_over_time": ignoring(over_time.deviation),
    "stdvar_over_time": ignoring(over_time.variance),
    "step": _constant(lambda frame: _filled(frame, frame.query_step / 1000)),
    "sum_over_time": combining(over_time.total, total),
    "time": _constant(lambda frame: frame.seconds),
    "timestamp": _timestamp,
    "ts_of_first_over_time": counting(over_time.time_of_first),
    "ts_of_last_over_time": counting(over_time.time_of_last),
    "ts_of_max_over_time": ignoring(over_time.time_of_greatest),
    "ts_of_min_over_time": ignoring(over_time.time_of_least),
    "vector": lambda args: ToVector(args.scalar(0)),
}
