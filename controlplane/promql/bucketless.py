"""Which selectors need only count and sum of native histograms.

Below `histogram_count` and its kin the buckets do not matter, and the store
knows of resets better than count and sum could tell. Where buckets matter after
all, or samples are picked at the steps of a subquery, nothing is left out.
"""

from collections.abc import Iterator
from typing import Final

from controlplane.promql.ast import (
    BinaryExpr,
    Call,
    Expr,
    SubqueryExpr,
    VectorSelector,
    children,
)

_STATISTICS: Final = frozenset({"histogram_count", "histogram_sum", "histogram_avg"})
_BUCKETS: Final = frozenset({"histogram_quantile", "histogram_quantiles", "histogram_fraction"})
_TRIMS: Final = frozenset({"</", ">/"})


def statistics_only(expr: Expr, *, below: bool = False) -> Iterator[int]:
    """Yield the ids of the selectors of a tree that need no buckets."""
    match expr:
        case VectorSelector():
            if below:
                yield id(expr)
            return
        case Call(function=name) if name in _BUCKETS:
            return
        case BinaryExpr(op=op) if op in _TRIMS:
            return
        case SubqueryExpr():
            return
        case Call(function=name) if name in _STATISTICS:
            below = True
        case _:
            pass
    for child in children(expr):
        yield from statistics_only(child, below=below)
