"""What matchers say together: found out where it is certain, left alone where it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.labels import Labels
from controlplane.model.matcher_logic import covered, follow, impossible, possible_values
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.matchers import Matcher, MatchOp, matches_all


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ('a="1"', ""),
        ('a="1", a="2"', 'a="1", a="2"'),
        ('a="1", b="2", a!="1"', 'a="1", a!="1"'),
        ('a=~"x|y", a="z"', 'a=~"x|y", a="z"'),
        ('a=~"(x|y)", a=~"(?:y|z)"', ""),
        ('a=~"x|y", a!~"x.*", a!="y"', 'a=~"x|y", a!~"x.*", a!="y"'),
        ('a!~".*"', 'a!~".*"'),
        ('a!~".+", a!=""', 'a!~".+", a!=""'),
        (r'a=~"10\\.0\\.0\\.1", a="10.0.0.2"', r'a=~"10\\.0\\.0\\.1", a="10.0.0.2"'),
        ('a=~"x.*", a="y.+"', 'a=~"x.*", a="y.+"'),
        ('a=~"x.*", a=~"y.*"', ""),
        ('a=""', ""),
    ],
)
def test_matchers_that_nothing_fulfils(text: str, never: str) -> None:
    """Values that are named are tried; two endless sets are not compared."""
    found = impossible(parse_matchers(text))
    assert set(found) == (set(parse_matchers(never)) if never else set())


@pytest.mark.parametrize(
    ("wanted", "given", "certain"),
    [
        ('a="1"', 'a="1", b="2"', True),
        ('a=~"1|2"', 'a="1"', True),
        ('a=~"1|2"', 'a=~"2|1"', True),
        ('a="1"', 'a=~"1|2"', False),
        ('a!="3"', 'a="1"', True),
        ('a=~".*"', 'b="1"', True),
        ('a=~".+"', 'a=~"x.*"', True),
        ('a!=""', 'a=~"x.+"', True),
        ('a!=""', 'b="1"', False),
        ('a=~"x.*"', 'a=~"xy.*"', False),
        ("{}", 'a="1"', True),
    ],
)
def test_what_follows_from_what(wanted: str, given: str, certain: bool) -> None:
    """Only what is certain."""
    assert follow(parse_matchers(wanted), parse_matchers(given)) is certain


def test_several_may_cover_what_none_of_them_does() -> None:
    """Each value is taken by one of them."""
    both = [parse_matchers('a="1"'), parse_matchers('a="2"')]
    assert covered(parse_matchers('a=~"1|2"'), both)
    assert not covered(parse_matchers('a=~"1|2|3"'), both)
    assert not covered(parse_matchers('b="1"'), both)
    assert not covered((), [])


_MATCHERS = st.lists(
    st.builds(
        Matcher,
        st.sampled_from("ab"),
        st.sampled_from(MatchOp),
        st.sampled_from(["", "x", "y", "x|y", ".*", ".+", "x.*", "(y|z)"]),
    ),
    max_size=4,
)
_LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["x", "y", "z", "xx"])).map(Labels)


@given(_MATCHERS, _MATCHERS, _MATCHERS, _LABELS)
def test_what_is_said_holds(
    one: list[Matcher], two: list[Matcher], three: list[Matcher], labels: Labels
) -> None:
    """No label set contradicts what was called impossible, possible, following or covered."""
    if not matches_all(one, labels):
        return
    assert impossible(one) == ()
    for name in "ab":
        values = possible_values(one, name)
        assert values is None or labels.value(name) in values
    assert not follow(two, one) or matches_all(two, labels)
    if covered(one, [two, three]):
        assert matches_all(two, labels) or matches_all(three, labels)
