"""Text into trees: precedence, places, errors."""
# ruff: noqa: E501 - messages stand in one line as they are printed

import pytest

from controlplane.errors import ParseError
from controlplane.model.matchers import Matcher, MatchOp
from controlplane.promql.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    DurationExpr,
    Edge,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    Span,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatching,
    VectorSelector,
)
from controlplane.promql.parser import MAX_DEPTH, parse, parse_selector


def name(metric: str) -> VectorSelector:
    """Return the selector of a bare metric name."""
    return VectorSelector(metric, (Matcher("__name__", MatchOp.EQUAL, metric),))


ONE, TWO, THREE = NumberLiteral(1), NumberLiteral(2), NumberLiteral(3)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("-1^2", UnaryExpr("-", BinaryExpr("^", ONE, TWO))),
        ("2^-1", BinaryExpr("^", TWO, NumberLiteral(-1))),
        ("1^2^3", BinaryExpr("^", ONE, BinaryExpr("^", TWO, THREE))),
        ("1-2-3", BinaryExpr("-", BinaryExpr("-", ONE, TWO), THREE)),
        ("1+2*3", BinaryExpr("+", ONE, BinaryExpr("*", TWO, THREE))),
        ("-a*b", BinaryExpr("*", UnaryExpr("-", name("a")), name("b"))),
        ("-1", NumberLiteral(-1)),
        ("-NaN", NumberLiteral(float("nan"))),
        ("(1)", ParenExpr(ONE)),
        ("0755", NumberLiteral(493)),
        ("0x1F", NumberLiteral(31)),
        ("1_000.5e-1", NumberLiteral(100.05)),
        ("1h30m", NumberLiteral(5400, is_duration=True)),
        ("'it\\'s'", StringLiteral("it's")),
        ('"\\u00e9\\x41\\101\\n"', StringLiteral("éAA\n")),
        ("`\\n`", StringLiteral("\\n")),
    ],
)
def test_literals_and_precedence(text: str, tree: object) -> None:
    """Operators bind as upstream's do; signs fold into literals."""
    assert parse(text) == tree


def test_comparison_binds_weaker_than_sum_and_stronger_than_and() -> None:
    """`a + b > c and d or e` is `(((a + b) > c) and d) or e`."""
    tree = parse("a + b > c and d or e")
    assert isinstance(tree, BinaryExpr)
    assert tree.op == "or"
    assert isinstance(tree.left, BinaryExpr)
    assert tree.left.op == "and"
    assert tree.left.left == parse("a + b > c")


@pytest.mark.parametrize("word", ["sum", "by", "offset", "start", "step", "fill", "group", "and"])
def test_keywords_are_metric_names_where_nothing_else_fits(word: str) -> None:
    """Most keywords may name a metric."""
    assert parse(f"1 + {word}") == BinaryExpr("+", ONE, name(word))


@pytest.mark.parametrize("word", ["bool", "on", "ignoring", "group_left", "group_right", "atan2"])
def test_few_keywords_name_no_metric(word: str) -> None:
    """Some keywords never name a metric."""
    with pytest.raises(ParseError):
        parse(word)


def test_keywords_are_case_insensitive() -> None:
    """`SUM BY` is `sum by`, and labels keep their case."""
    assert parse("SUM BY (Job) (a)") == AggregateExpr("sum", name("a"), grouping=("Job",))


def test_selector_with_names_in_quotes() -> None:
    """A metric name, and label names, may stand in quotes inside the braces."""
    tree = parse('{"a.b", "l.x"!="y", z=~"q.*",}')
    assert tree == VectorSelector(
        "",
        (
            Matcher("__name__", MatchOp.EQUAL, "a.b"),
            Matcher("l.x", MatchOp.NOT_EQUAL, "y"),
            Matcher("z", MatchOp.REGEX, "q.*"),
        ),
    )


def test_modifiers_in_any_order() -> None:
    """`offset` and `@` follow each other in either order."""
    tree = parse("a @ 1.5 offset -5m")
    assert tree == parse("a offset -5m @ 1.5")
    assert isinstance(tree, VectorSelector)
    assert (tree.at, tree.offset) == (1500, -300_000)


def test_offset_takes_one_signed_atom() -> None:
    """`a offset -2^2` raises what the selector gives to the power."""
    tree = parse("a offset -2^2")
    assert isinstance(tree, BinaryExpr)
    assert tree.op == "^"


def test_ranges_and_subqueries() -> None:
    """Brackets make a range, with a colon a subquery."""
    ranged, subquery = parse("a[5m] @ start()"), parse("a[5m:1m] offset 1m")
    assert isinstance(ranged, MatrixSelector)
    assert (ranged.range, ranged.selector.at) == (300_000, Edge.START)
    assert subquery == SubqueryExpr(name("a"), 300_000, 60_000, 60_000)
    assert parse("a[5m:]") == SubqueryExpr(name("a"), 300_000)


def test_vector_matching() -> None:
    """All of matching in one modifier."""
    tree = parse("a == bool on (x) group_left (y,) b")
    assert tree == BinaryExpr(
        "==",
        name("a"),
        name("b"),
        return_bool=True,
        matching=VectorMatching(Cardinality.MANY_TO_ONE, ("x",), on=True, include=("y",)),
    )


def test_duration_expressions() -> None:
    """Arithmetic in brackets is kept for each query to resolve."""
    tree = parse("a[step() * 2]", experimental=True)
    assert isinstance(tree, MatrixSelector)
    assert tree.range == DurationExpr("*", DurationExpr("step"), NumberLiteral(2))


def test_places_are_offsets_into_the_text() -> None:
    """Each node knows where it begins and ends."""
    tree = parse("sum( rate(a[5m]) )")
    assert tree.span == Span(0, 18)
    assert isinstance(tree, AggregateExpr)
    assert tree.expr.span == Span(5, 16)
    assert isinstance(tree.expr, Call)
    assert tree.expr.args[0].span == Span(10, 15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: parse error: no expression found in input"),
        ("# nothing\n", "1:1: parse error: no expression found in input"),
        ("a b", '1:3: parse error: unexpected identifier "b"'),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("a{", "1:3: parse error: unexpected end of input inside braces"),
        ("a{b}", '1:4: parse error: unexpected "}" in label matching, expected label matching operator'),
        ("a{b=1}", "1:5: parse error: unexpected character inside braces: '1'"),
        ('a{b="1" c="2"}', '1:9: parse error: unexpected identifier "c" in label matching, expected "," or "}"'),
        ("a[", "1:3: parse error: unclosed left bracket"),
        ("a[5m", "1:5: parse error: unclosed left bracket"),
        ("a[b]", "1:3: parse error: unexpected character in duration expression: 'b'"),
        ("a[0s]", "1:3: parse error: duration must be greater than 0"),
        ("(1", "1:3: parse error: unclosed left parenthesis"),
        ("1)", "1:2: parse error: unexpected right parenthesis ')'"),
        ("sum by", '1:7: parse error: unexpected end of input in grouping opts, expected "("'),
        ("sum(a,)", "1:7: parse error: trailing commas not allowed in function call args"),
        ("topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"),
        ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
        ("nope(a)", '1:1: parse error: unknown function with name "nope"'),
        ("rate(a)", '1:6: parse error: expected type range vector in call to function "rate", got instant vector'),
        ("rate()", '1:1: parse error: expected 1 argument(s) in call to "rate", got 0'),
        ("round()", '1:1: parse error: expected at least 1 argument(s) in call to "round", got 0'),
        ("round(a, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'),
        ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
        ("1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
        ("a and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
        ("a and on (x) group_left b", '1:1: parse error: no grouping allowed for "and" operation'),
        ("a + on (x) group_left (x) b", '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'),
        ("1 + on (x) a", "1:1: parse error: vector matching only allowed between instant vectors"),
        ('"a" + 1', "1:1: parse error: binary expression must contain only scalar and instant vector types"),
        ("-a[5m]", '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"'),
        ("a[5m][5m:]", "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ('{a=~".*"}', "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ('a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"'),
        ("a offset 1m offset 1m", "1:1: parse error: offset may not be set multiple times"),
        ("a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
        ("1 offset 5m", "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"),
        ("a offset 5m[5m]", "1:12: parse error: no offset modifiers allowed before range"),
        ("(a)[5m]", "1:4: parse error: ranges only allowed for vector selectors"),
        ("a @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"),
        ('"\\q"', '1:1: parse error: error unquoting string "\\"\\\\q\\"": unknown escape sequence \\q'),
        ("a =~ b", "1:3: parse error: unexpected character after '=': '~'"),
        ("1a", '1:1: parse error: bad number or duration syntax: "1a"'),
        ("a ! b", "1:3: parse error: unexpected character after '!': ' '"),
        ("limitk(1, a)", "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"),
        ("step()", '1:1: parse error: function "step" is not enabled'),
        ("a[5m + 1m]", "1:3: parse error: experimental duration expression is not enabled"),
        ("a anchored", "1:1: parse error: anchored modifier is experimental and not enabled"),
        ("a + fill(1) b", "1:1: parse error: binop fill modifiers are experimental and not enabled"),
        ("a +\n  b c", '2:5: parse error: unexpected identifier "c"'),
    ],
)  # fmt: skip
def test_errors_name_place_and_reason(text: str, message: str) -> None:
    """An error says line, column and what is wrong, in upstream's words."""
    with pytest.raises(ParseError) as raised:
        parse(text)
    assert str(raised.value) == message


def test_bad_regex_is_a_parse_error() -> None:
    """A pattern that RE2 refuses is refused with the query."""
    with pytest.raises(ParseError, match="invalid regular expression"):
        parse('a{b=~"("}')


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000 + "1" + ")" * 3_000,
        "+".join(["a"] * 3_000),
        "-a" * 3_000,
        "abs(" * 2_000 + "a" + ")" * 2_000,
        "a[" + "(" * 2_000 + "5m" + ")" * 2_000 + "]",
        "sum(" * 2_000,
    ],
    ids=["parentheses", "chain", "signs", "calls", "durations", "unclosed"],
)
def test_nesting_is_bounded(text: str) -> None:
    """A deeply nested query is an error, never a crash."""
    with pytest.raises(ParseError):
        parse(text, experimental=True)


def test_nesting_up_to_the_bound_is_fine() -> None:
    """A hundred alternatives are no problem."""
    text = " or ".join(["a"] * (MAX_DEPTH - 1))
    assert isinstance(parse(text), BinaryExpr)


def test_selectors_alone() -> None:
    """`match[]` takes a selector and nothing else."""
    assert parse_selector('up{job="a"}') == (
        Matcher("job", MatchOp.EQUAL, "a"),
        Matcher("__name__", MatchOp.EQUAL, "up"),
    )
    for text in ("up offset 5m", "sum(up)", "1"):
        with pytest.raises(ParseError, match="expected a series selector"):
            parse_selector(text)
