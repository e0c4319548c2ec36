"""Builders of functions over windows: what is done with floats, and with histograms."""

from collections.abc import Callable, Sequence
from functools import partial

from controlplane.model.histogram import FloatHistogram
from controlplane.model.samples import Mask, Refs, Values
from controlplane.promql.errors import EvaluationError
from controlplane.promql.extended import ExtendedCall, pairs_cell, rate_cell
from controlplane.promql.frame import MatrixNode, VectorNode, Windows
from controlplane.promql.functions import (
    extended_histograms,
    mixed,
    over_time,
    regression,
)
from controlplane.promql.functions.arguments import Arguments, Builder, Node
from controlplane.promql.functions.calls import (
    OverTime,
    Pairs,
    Predict,
    QuantileOverTime,
    Rate,
)
from controlplane.promql.functions.mixed import MixedCall
from controlplane.promql.functions.rates import RateKind, last_two
from controlplane.promql.histograms.arithmetic import Combined
from controlplane.promql.selecting import (
    RangeSelection,
)


def _over_time(
    function: Callable[..., Values], *, keeps_name: bool = False, least: int = 1
) -> Callable[[Arguments, MatrixNode], VectorNode]:
    def make(args: Arguments, matrix: MatrixNode) -> VectorNode:
        numbers = args.scalars(1)
        return OverTime(
            function, matrix, numbers, late=args.late, keeps_name=keeps_name, least=least
        )

    return make


def counting(function: Callable[..., Values]) -> Builder:
    """A function that takes floats and histograms alike."""
    make = _over_time(function)
    return lambda args: MixedCall(args.matrix(0), partial(make, args), mixed.counting)


def ignoring(function: Callable[..., Values], *, least: int = 1) -> Builder:
    """A function that passes over histograms."""
    make = _over_time(function, least=least)
    return lambda args: MixedCall(args.matrix(0), partial(make, args), mixed.ignoring(args.span(0)))


def picking(function: Callable[..., Values], place: Callable[[Windows], Refs]) -> Builder:
    """A function that returns one of the samples."""
    make = _over_time(function, keeps_name=True)
    return lambda args: MixedCall(
        args.matrix(0), partial(make, args), mixed.picking(place, late=args.late)
    )


def combining(
    function: Callable[..., Values], combine: Callable[[Sequence[FloatHistogram]], Combined]
) -> Builder:
    """A function that makes one histogram of those of a window."""
    make, cell = _over_time(function), mixed.sum_cell(combine)
    return lambda args: MixedCall(
        args.matrix(0),
        partial(make, args),
        mixed.combining(cell, args.span(0), late=args.late),
    )


def rated(*, counter: bool, per_second: bool) -> Builder:
    kind = RateKind(counter, per_second)

    def build(args: Arguments) -> Node:
        matrix, span = args.matrix(0), args.span(0)
        if (window := _extended(matrix)) is not None:
            smoothed = window.expr.selector.smoothed
            cell = rate_cell(kind, smoothed=smoothed)
            histograms = extended_histograms.rate_cell(kind, smoothed=smoothed)
            return ExtendedCall(
                cell, window, span, informs=counter, late=args.late, histograms=histograms
            )
        return MixedCall(
            matrix,
            lambda matrix: Rate(kind, matrix, span, late=args.late),
            mixed.combining(mixed.rate_cell(kind), span, late=args.late),
        )

    return build


def paired(
    function: Callable[[Windows], Values],
    differs: Callable[[Values, Values], Mask],
    histograms: mixed.Differs,
) -> Builder:
    def build(args: Arguments) -> Node:
        matrix = args.matrix(0)
        if (window := _extended(matrix)) is not None:
            cell = pairs_cell(differs)
            pairs = extended_histograms.pairs_cell(differs, histograms)
            return ExtendedCall(
                cell, window, args.span(0), informs=False, late=args.late, pairs=pairs
            )
        return MixedCall(
            matrix,
            lambda matrix: OverTime(function, matrix, late=args.late),
            mixed.differing(differs, histograms, late=args.late),
        )

    return build


def _extended(matrix: MatrixNode) -> RangeSelection | None:
    return matrix if isinstance(matrix, RangeSelection) and matrix.extended else None


def of_last_two(*, counter: bool) -> Builder:
    function = partial(last_two, counter=counter, per_second=counter)
    kind = RateKind(counter, per_second=counter)
    return lambda args: MixedCall(
        args.matrix(0),
        lambda matrix: Pairs(function, matrix, late=args.late),
        mixed.last_two(kind, args.span(0), late=args.late),
    )


def quantile_over_time(args: Arguments) -> Node:
    rank, span = args.scalar(0), args.span(0)
    return MixedCall(
        args.matrix(1),
        lambda matrix: QuantileOverTime(span, rank, matrix, late=args.late),
        mixed.ignoring(span),
    )


def smoothed(args: Arguments) -> Node:
    def compute(windows: Windows, smoothing: Values, trend: Values) -> Values:
        for name, factor, short in (("smoothing", smoothing, "sf"), ("trend", trend, "tf")):
            wrong = factor[~((factor > 0) & (factor < 1))]
            if len(wrong):
                raise EvaluationError(
                    f"invalid {name} factor. Expected: 0 < {short} < 1, got: {wrong[0]:f}"
                )
        return over_time.smoothed(windows, smoothing, trend)

    return ignoring(compute, least=2)(args)


def predict_linear(args: Arguments) -> Node:
    seconds = args.scalars(1)
    return MixedCall(
        args.matrix(0),
        lambda matrix: Predict(regression.predicted, matrix, seconds, late=args.late, least=2),
        mixed.ignoring(args.span(0)),
    )
