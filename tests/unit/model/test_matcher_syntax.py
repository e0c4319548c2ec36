"""Matchers as text: the UTF-8 grammar, the classic one, and which of them counts."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.matcher_syntax import (
    format_matchers,
    parse_classic_matchers,
    parse_matcher,
    parse_matchers,
    parse_utf8_matchers,
)
from controlplane.model.matchers import Matcher, MatchOp

EQ, NE, RE, NRE = MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.REGEX, MatchOp.NOT_REGEX


def matcher(name: str, op: MatchOp, value: str) -> Matcher:
    return Matcher(name, op, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("{}", []),
        ("{foo=bar}", [("foo", EQ, "bar")]),
        ("{foo=bar,}", [("foo", EQ, "bar")]),
        ("foo!=bar", [("foo", NE, "bar")]),
        ("foo=~[a-z]+", [("foo", RE, "[a-z]+")]),
        ("{foo!~[a-z]+}", [("foo", NRE, "[a-z]+")]),
        ("{foo=🙂bar}", [("foo", EQ, "🙂bar")]),
        ('{"foo 🙂"="a b"}', [("foo 🙂", EQ, "a b")]),
        (r'{"foo"=~"\\d+"}', [("foo", RE, r"\d+")]),
        (r'{"foo"="\xf0\x9f\x99\x82"}', [("foo", EQ, "🙂")]),
        (r'{"foo"="\U0001f642"}', [("foo", EQ, "🙂")]),
        (r'{"foo"="\"bar\"\n\t\101"}', [("foo", EQ, '"bar"\n\tA')]),
        ('{foo="bar",bar!="baz"}', [("bar", NE, "baz"), ("foo", EQ, "bar")]),
        (' { foo = "bar" , } ', [("foo", EQ, "bar")]),
    ],
)
def test_the_utf8_grammar(text: str, expected: list[tuple[str, MatchOp, str]]) -> None:
    """Names and values may be bare or quoted, braces and a last comma are optional."""
    assert parse_utf8_matchers(text) == tuple(matcher(*part) for part in expected)


@pytest.mark.parametrize(
    "text",
    [
        *(",", "{,}", "{", "}", "foo=bar}", "{foo=bar", '{foo=:"bar"}', r'{foo="bar\w"}'),
        *("{foo=bar\\n}", r'{"foo"="\xf0\x9f"}', '{foo="bar}', "foo", "foo=", "=bar", "{foo=bar}}"),
        *("foo=bar baz", '{foo="a\nb"}', r'{foo="\ud800"}', r'{foo="\777"}', "foo=bar,,", "{}x"),
        "foo!bar",
    ],
)
def test_what_the_utf8_grammar_refuses(text: str) -> None:
    """Broken braces, commas, escapes and quotes are errors."""
    with pytest.raises(InvalidInput):
        parse_utf8_matchers(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{foo='}", [("foo", EQ, "'")]),
        (r"{foo=\"}", [("foo", EQ, '"')]),
        ('{foo=""}', [("foo", EQ, "")]),
        ('{foo="bar,quux", job="job1"}', [("foo", EQ, "bar,quux"), ("job", EQ, "job1")]),
        (r'{quote="She said: \"Hi, you!\""}', [("quote", EQ, 'She said: "Hi, you!"')]),
        ("tricky=~~~", [("tricky", RE, "~~")]),
        (r"trickier==\\=\=\"", [("trickier", EQ, '=\\=\\="')]),
        ("{foo=bar}}", [("foo", EQ, "bar}")]),
        (r"{foo=bar\t}", [("foo", EQ, r"bar\t")]),
        (r"{foo=bar\n}", [("foo", EQ, "bar\n")]),
        (r"{foo=bar\}", [("foo", EQ, "bar\\")]),
        ("job=", [("job", EQ, "")]),
        ("{foo=}b", [("foo", EQ, "}b")]),
    ],
)
def test_the_classic_grammar(text: str, expected: list[tuple[str, MatchOp, str]]) -> None:
    """Values may hold almost anything, and unknown escapes stay as they are."""
    assert parse_classic_matchers(text) == tuple(matcher(*part) for part in expected)


@pytest.mark.parametrize(
    "text",
    [
        *(",", "{,}", 'job="value', 'job=value"', 'a = foo"bar', '{invalid-name = "x"}'),
        *('"foo="bar""', '{foo=~"invalid[regexp"}', "{{foo=", 'job="'),
    ],
)
def test_what_the_classic_grammar_refuses(text: str) -> None:
    """Names must be classic, and quotes must close or be escaped."""
    with pytest.raises(InvalidInput):
        parse_classic_matchers(text)


def test_the_classic_reading_counts_where_the_two_disagree() -> None:
    r"""`"\x41"` is `A` in the new grammar and four characters in the old one: the old one wins."""
    assert parse_matchers(r'{foo="\x41"}') == (matcher("foo", EQ, r"\x41"),)


def test_either_grammar_is_enough() -> None:
    """A quoted name only the new one reads, a bare backslash only the old one."""
    assert parse_matchers('{"a b"="c"}') == (matcher("a b", EQ, "c"),)
    assert parse_matchers(r"foo=~\d+") == (matcher("foo", RE, r"\d+"),)


def test_one_matcher_has_no_braces_and_is_one() -> None:
    """`parse_matcher` refuses braces, none and two."""
    assert parse_matcher('foo=~"a|b"') == matcher("foo", RE, "a|b")
    for text in ("{a=b}", "", "a=b,c=d"):
        with pytest.raises(InvalidInput):
            parse_matcher(text)


def test_matchers_are_kept_by_name_value_and_operator() -> None:
    """The order of group keys does not depend on the order in the file."""
    found = parse_matchers('b="2",a!="1",a="1",a="0"')
    assert format_matchers(found) == '{a="0",a="1",a!="1",b="2"}'


def test_names_that_need_quotes_are_printed_with_them() -> None:
    """As Alertmanager prints them: the value is then a Go string too."""
    assert format_matchers((matcher("a b", EQ, "\x01é\n"),)) == '{"a b"="\\x01é\\n"}'
