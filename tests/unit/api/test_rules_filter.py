"""`/rules`: which groups and rules are shown, and in which pages."""

import pytest

from controlplane.api.prometheus.parameters import Parameters
from controlplane.api.prometheus.rules import Page, Wanted, token
from controlplane.errors import InvalidInput
from controlplane.rules.options import Rule
from controlplane.rules.status import GroupStatus, Health, RuleStatus


def status(rule: Rule) -> RuleStatus:
    """Return a rule that was never evaluated."""
    return RuleStatus("id", rule, rule.labels, Health.UNKNOWN, "", 0, 0.0, (), (), reactive=False)


def group(name: str, *rules: Rule, file: str = "a.yml") -> GroupStatus:
    """Return a group of such rules."""
    return GroupStatus(name, file, 1000, 0, 0, 0, 0.0, [status(rule) for rule in rules])


DOWN = Rule("up == 0", alert="Down", labels=(("severity", "page"), ("team", "{{ $labels.team }}")))
SLOW = Rule("rate(x[1m]) > 1", alert="Slow", labels=(("severity", "ticket"),))
RATIO = Rule("a / b", record="a:ratio")
FIRST = group("first", DOWN, SLOW, RATIO)
SECOND = group("second", RATIO, file="b.yml")
THIRD = group("third", DOWN, file="b.yml")


def given(*pairs: tuple[str, str]) -> Parameters:
    return Parameters(pairs)


def shown(*pairs: tuple[str, str]) -> dict[str, list[str]]:
    """Return the names of the rules that are taken of each group, groups without any left out."""
    wanted = Wanted.read(given(*pairs))
    found = {each.name: [rule.rule.name for rule in wanted.of(each)] for each in (FIRST, SECOND)}
    return {name: rules for name, rules in found.items() if rules}


@pytest.mark.parametrize(
    ("pairs", "rules"),
    [
        ((), {"first": ["Down", "Slow", "a:ratio"], "second": ["a:ratio"]}),
        ((("type", "Alert"),), {"first": ["Down", "Slow"]}),
        ((("type", "record"),), {"first": ["a:ratio"], "second": ["a:ratio"]}),
        ((("rule_name[]", "Slow"), ("rule_name[]", "Down")), {"first": ["Down", "Slow"]}),
        ((("rule_group[]", "second"),), {"second": ["a:ratio"]}),
        ((("file[]", "b.yml"), ("rule_group[]", "first")), {}),
        ((("match[]", '{severity="page"}'),), {"first": ["Down"]}),
        (
            (("match[]", '{severity="page"}'), ("match[]", '{severity=~"t.*"}')),
            {"first": ["Down", "Slow"]},
        ),
        ((("match[]", '{team="{{ $labels.team }}"}'),), {"first": ["Down"]}),
        ((("match[]", '{severity="page", team=""}'),), {}),
    ],
)
def test_each_filter_narrows(
    pairs: tuple[tuple[str, str], ...], rules: dict[str, list[str]]
) -> None:
    """Values of one parameter are alternatives; labels match as they are written in the file."""
    assert shown(*pairs) == rules


@pytest.mark.parametrize(
    ("text", "alerts"),
    [("", True), ("false", True), ("0", True), ("TRUE", False), ("t", False), ("1", False)],
)
def test_alerts_are_left_out_when_asked(text: str, *, alerts: bool) -> None:
    """`exclude_alerts` is read as Go reads a bool."""
    assert Wanted.read(given(("exclude_alerts", text))).alerts is alerts


def test_pages_begin_where_the_one_before_ended() -> None:
    """A token stands for the first group of the next page."""
    groups = [FIRST, SECOND, THIRD]
    page = Page.read(given(("group_limit", "1"), ("group_next_token", token(SECOND))))
    assert page.size == 1
    assert page.rest(groups) == [SECOND, THIRD]
    assert Page.read(given(("group_limit", "2"))).rest(groups) == groups
    assert Page.read(given()).size == 0


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ((("group_next_token", "x"),), "group_limit needs to be present"),
        ((("group_limit", "0"),), "greater than 0"),
        ((("group_limit", "-3"),), "greater than 0"),
        ((("group_limit", "many"),), "valid number"),
        ((("group_limit", "99999999999"),), "valid number"),
        ((("group_limit", "1"), ("group_next_token", "x")), "were rule groups changed"),
    ],
)
def test_pages_that_make_no_sense_are_refused(
    pairs: tuple[tuple[str, str], ...], words: str
) -> None:
    """Each with upstream's words."""
    with pytest.raises(InvalidInput, match=words):
        Page.read(given(*pairs)).rest([FIRST])


@pytest.mark.parametrize(
    "pairs", [(("type", "other"),), (("exclude_alerts", "maybe"),), (("match[]", "{"),)]
)
def test_filters_that_make_no_sense_are_refused(pairs: tuple[tuple[str, str], ...]) -> None:
    """Nothing is accepted and ignored."""
    with pytest.raises(InvalidInput):
        Wanted.read(given(*pairs))
