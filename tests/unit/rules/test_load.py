"""Rule files: what is read, and everything that is wrong with them at once."""

from pathlib import Path

import pytest

from controlplane.errors import ConfigError
from controlplane.rules.load import load_file, load_text
from controlplane.rules.options import Rule, RuleGroup, RuleMatch, RuleSettings, RulesOptions

FULL = """
groups:
- name: a
  interval: 15s
  limit: 3
  query_offset: 30s
  labels: {team: ops}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {x: "1"}
  - alert: Down
    expr: up == 0
    for: 1m30s
    keep_firing_for: 5m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }}", code: 7}
- name: b
  rules:
"""


def problems(text: str) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigError) as error:
        load_text(text, "f.yml")
    return [str(problem) for problem in error.value.problems]


def rule(fields: str) -> str:
    """Return a file with one rule."""
    return f"groups:\n- name: g\n  rules:\n  - {{{fields}}}\n"


def test_every_field_is_read() -> None:
    """Durations are milliseconds, texts stay as written, lines are remembered."""
    first, second = load_text(FULL, "f.yml")
    assert first == RuleGroup(
        name="a",
        file="f.yml",
        interval=15_000,
        limit=3,
        query_offset=30_000,
        labels=(("team", "ops"),),
        rules=(
            Rule(expr="sum by (job) (up)", record="job:up:sum", labels=(("x", "1"),)),
            Rule(
                expr="up == 0",
                alert="Down",
                for_=90_000,
                keep_firing_for=300_000,
                labels=(("severity", "page"),),
                annotations=(("code", "7"), ("summary", "{{ $labels.job }}")),
            ),
        ),
    )
    assert [each.line for each in first.rules] == [9, 12]
    assert (second.name, second.rules, second.line, second.key) == ("b", (), 18, "f.yml;b")


@pytest.mark.parametrize("text", ["", "groups:", "groups: []", "{}"])
def test_a_file_may_be_empty(text: str) -> None:
    """No groups is a good file."""
    assert load_text(text, "f.yml") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("group: []", "f.yml:1: unknown key 'group' in a rule file"),
        ("- a", "f.yml:1: a rule file must be a mapping, not a list"),
        ("groups: {a: 1}", "f.yml:1: 'groups' must be a list, not a mapping"),
        ("groups: [{rules: []}]", "f.yml:1: a group needs a name"),
        (
            "groups:\n- {name: a}\n- {name: a}",
            "f.yml:3: the group 'a' stands twice in this file",
        ),
        ("groups: [{name: a, interval: 5}]", "f.yml:1: 'interval': not a valid duration: '5'"),
        ("groups: [{name: a, limit: x}]", "f.yml:1: 'limit' must be a whole number, not 'x'"),
        (rule("expr: 1"), "f.yml:4: one of 'record' and 'alert' must be set"),
        (
            rule("alert: a, record: b, expr: 1"),
            "f.yml:4: only one of 'record' and 'alert' must be set",
        ),
        (rule("alert: a"), "f.yml:4: rule 'a' needs an 'expr'"),
        (rule("alert: a, expr: ''"), "f.yml:4: rule 'a' needs an 'expr'"),
        (rule("alert: a, expr: 1, annotation: {}"), "f.yml:4: unknown key 'annotation' in a rule"),
        (
            rule("record: a, expr: rate(hi)"),
            "f.yml:4: rule 'a', expression 1:6: expected type range vector",
        ),
        (rule("record: a, expr: 1, for: 1m"), "f.yml:4: 'for' has no meaning in a recording rule"),
        (
            rule("record: a, expr: 1, keep_firing_for: 1m"),
            "f.yml:4: 'keep_firing_for' has no meaning in a recording rule",
        ),
        (
            rule("record: a, expr: 1, annotations: {a: b}"),
            "f.yml:4: 'annotations' has no meaning in a recording rule",
        ),
        (rule("record: 'a{b=\"c\"}', expr: 1"), "f.yml:4: braces in the name"),
        (rule("record: a, expr: 1, labels: {__name__: b}"), "f.yml:4: __name__ cannot be set"),
        (rule("record: a, expr: 1, labels: {'': b}"), "f.yml:4: not a valid label name: ''"),
        (rule("record: a, expr: 1, labels: [b]"), "f.yml:4: 'labels' must be a mapping"),
        (
            rule("alert: a, expr: 1, labels: {b: '{{ .X'}"),
            "f.yml:4: rule 'a', label 'b': template: __alert_a:1: unclosed action",
        ),
        (
            rule("alert: a, expr: 1, annotations: {b: '{{ $value | nope }}'}"),
            "f.yml:4: rule 'a', annotation 'b': template: __alert_a:1: "
            'function "nope" not defined',
        ),
        ("groups: ]", "f.yml:1: broken YAML"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    """Each mistake is told with its line."""
    (problem,) = problems(text)
    assert problem.startswith(expected)


def test_all_problems_are_told_at_once() -> None:
    """One mistake does not hide the next; they come in the order of their lines."""
    found = problems(
        "groups:\n- name: g\n  rules:\n  - {expr: 1}\n  - {alert: a, expr: 'sum('}\n- name: g\n"
    )
    assert [line.split(":")[1] for line in found] == ["4", "5", "6"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is a problem like any other, with the name of the file."""
    with pytest.raises(ConfigError, match=r"nope\.yml:1: cannot be read"):
        load_file(tmp_path / "nope.yml")


def test_utf8_names_are_good() -> None:
    """Prometheus 3 takes any UTF-8 as a name."""
    load_text(rule("record: 'größe.x', expr: 1, labels: {'a b': c}"), "f.yml")


def test_lines_do_not_make_another_rule() -> None:
    """A rule that moved in its file is the same rule."""
    assert load_text(FULL, "f.yml") == load_text("\n\n" + FULL, "f.yml")


def test_settings_match_by_file_group_and_name() -> None:
    """The first setting that matches and says something counts; patterns are anchored."""
    (group, _) = load_text(FULL, "f.yml")
    alert = group.rules[1]
    for match, expected in (
        (RuleMatch(file="f.*", group="a", alertname="Down"), True),
        (RuleMatch(alertname="Do"), False),
        (RuleMatch(group="b"), False),
    ):
        options = RulesOptions(
            settings=(RuleSettings(match), RuleSettings(match, reactive=True)),
        )
        assert options.reactive(group, alert) is expected
