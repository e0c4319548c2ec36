"""Trees into text, and back."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.errors import ParseError
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.promql.ast import (
    COMPARISONS,
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    Edge,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatching,
    VectorSelector,
)
from controlplane.promql.parser import parse
from controlplane.promql.printer import format as printed

_WORDS = st.sampled_from(["a", "up", "http_total", "job:x:rate", "sum", "offset", "inf_"])
_LABELS = st.sampled_from(["job", "le", "x.y", "bool", "ü"])
_DURATIONS = st.integers(1, 10**9)
_AT = st.none() | st.sampled_from(Edge) | st.integers(-(10**12), 10**12)
_OFFSETS = st.just(0) | st.integers(-(10**9), 10**9)
_NUMBERS = st.floats(allow_nan=False).map(NumberLiteral) | st.just(NumberLiteral(math.nan))


@st.composite
def _selectors(draw: st.DrawFn, *, bare: bool = False) -> VectorSelector:
    name = draw(_WORDS)
    ops = st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL])
    values = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    found = draw(st.dictionaries(_LABELS, st.tuples(ops, values), max_size=2))
    matchers = [Matcher(label, op, value) for label, (op, value) in found.items()]
    matchers.sort(key=lambda m: f'"{m.name}"' if m.name in ("x.y", "ü") else m.name)
    own = Matcher("__name__", MatchOp.EQUAL, name)
    if bare:
        return VectorSelector(name, (*matchers, own))
    return VectorSelector(name, (*matchers, own), draw(_OFFSETS), draw(_AT))


@st.composite
def _matrices(draw: st.DrawFn) -> MatrixSelector:
    return MatrixSelector(draw(_selectors()), draw(_DURATIONS))


def _wrapped(expr: Expr) -> Expr:
    """Put what does not stand alone into parentheses."""
    return ParenExpr(expr) if isinstance(expr, BinaryExpr | UnaryExpr) else expr


@st.composite
def _binaries(draw: st.DrawFn, operands: st.SearchStrategy[Expr]) -> BinaryExpr:
    op = draw(st.sampled_from(["+", "*", "==", ">", "^", "atan2"]))
    cardinality = draw(st.sampled_from([c for c in Cardinality if c != "many-to-many"]))
    labels = tuple(sorted(draw(st.sets(_LABELS, max_size=2))))
    on = draw(st.booleans())
    include: tuple[str, ...] = ()
    if cardinality is not Cardinality.ONE_TO_ONE:
        include = draw(st.sampled_from([(), ("z",)]))
    return_bool = op in COMPARISONS and draw(st.booleans())
    matching = VectorMatching(cardinality, labels, on, include)
    return BinaryExpr(op, _wrapped(draw(operands)), _wrapped(draw(operands)), return_bool, matching)


def _larger(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    grouping = st.sets(_LABELS, max_size=2).map(lambda names: tuple(sorted(names)))
    return st.one_of(
        inner.map(ParenExpr),
        inner.map(lambda expr: UnaryExpr("-", _wrapped(expr))),
        _binaries(inner),
        st.builds(
            AggregateExpr,
            st.sampled_from(["sum", "avg", "count"]),
            inner,
            grouping=grouping.filter(bool),
            without=st.booleans(),
        ),
        st.builds(lambda k, expr: AggregateExpr("topk", expr, k), _NUMBERS, inner),
        inner.map(lambda expr: Call("abs", (expr,))),
        st.builds(lambda expr, k: Call("round", (expr, k)), inner, _NUMBERS),
        st.builds(
            lambda expr, width, step: Call(
                "sum_over_time", (SubqueryExpr(_wrapped(expr), width, step),)
            ),
            inner,
            _DURATIONS,
            st.none() | _DURATIONS,
        ),
    )


_TREES: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(_selectors(), _matrices().map(lambda matrix: Call("rate", (matrix,)))),
    _larger,
    max_leaves=6,
)


@given(_TREES)
@settings(max_examples=200, deadline=None)
def test_a_printed_tree_reads_back_equal(tree: Expr) -> None:
    """parse(format(tree)) is the tree."""
    assert parse(printed(tree)) == tree


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_quoting(text: str) -> None:
    """A string literal reads back as the text it holds."""
    assert parse(printed(StringLiteral(text))) == StringLiteral(text)


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_parses_or_is_refused(text: str) -> None:
    """Nothing but a ParseError comes of a text that is no query."""
    try:
        tree = parse(text, experimental=True)
    except ParseError:
        return
    again = parse(printed(tree), experimental=True)
    assert printed(again) == printed(tree)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("SUM(a)BY(b)", "sum by (b) (a)"),
        ("a{y='1',x=\"2\"}[90s]offset 60s", 'a{x="2",y="1"}[1m30s] offset 1m'),
        ("a   +on()group_left b", "a + on () group_left () b"),
        ("1e3", "1000"),
        ("a@1", "a @ 1.000"),
        ("a[1h:]", "a[1h:]"),
        ("topk(5,a)", "topk(5, a)"),
        ("sum without(a)(b)", "sum without (a) (b)"),
        ("a+fill_left(1)fill_right(2)b", "a + fill_left (1) fill_right (2) b"),
        ("a[(1m+step())*2]", "a[(1m + step()) * 2]"),
        ("a[max_of(1m,range())]", "a[max_of(1m, range())]"),
        ("a[5m]smoothed", "a[5m] smoothed"),
        ('{"a.b"}', '{__name__="a.b"}'),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    """Different spellings of one expression print alike."""
    assert printed(parse(text, experimental=True)) == canonical
