"""Matchers: anchored, in RE2's dialect, with '' for a label that is not set."""

import pytest

from controlplane.errors import InvalidInput
from controlplane.model.labels import Labels
from controlplane.model.matchers import Matcher, MatchOp, matches_all


@pytest.mark.parametrize(
    ("op", "pattern", "value", "matches"),
    [
        (MatchOp.EQUAL, "a", "a", True),
        (MatchOp.EQUAL, "", "", True),
        (MatchOp.NOT_EQUAL, "a", "", True),
        (MatchOp.REGEX, "a|b", "b", True),
        (MatchOp.REGEX, "a|b", "ab", False),
        (MatchOp.REGEX, ".*", "two\nlines", True),
        (MatchOp.REGEX, ".+", "", False),
        (MatchOp.NOT_REGEX, "a.*", "abc", False),
        (MatchOp.NOT_REGEX, "a.*", "xabc", True),
    ],
)
def test_matching(op: MatchOp, pattern: str, value: str, matches: bool) -> None:
    """Each of the four ways to match, at its edges."""
    assert Matcher("l", op, pattern).matches(value) is matches


def test_a_bad_pattern_is_refused_with_its_reason() -> None:
    """A pattern that RE2 does not know is an error that shows it."""
    with pytest.raises(InvalidInput, match=r"\(\?=a\)"):
        Matcher("l", MatchOp.REGEX, "(?=a)")


def test_all_must_match() -> None:
    """A label set fulfils a selector when it fulfils every matcher."""
    up = Matcher("job", MatchOp.EQUAL, "a"), Matcher("env", MatchOp.NOT_EQUAL, "test")
    assert matches_all(up, Labels({"job": "a"}))
    assert not matches_all(up, Labels({"job": "a", "env": "test"}))


def test_printed_as_in_a_selector() -> None:
    """A matcher prints as it is written in PromQL."""
    assert str(Matcher("a", MatchOp.NOT_EQUAL, 'x"\\')) == 'a!="x\\"\\\\"'
