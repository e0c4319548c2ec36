"""A group evaluated at instants given by hand, over a real store and engine."""

import math

import pytest
from structlog.testing import capture_logs

from controlplane.model.alert import AlertStatus
from controlplane.model.labels import Labels
from controlplane.rules.load import load_text
from controlplane.rules.members import rule_ids
from controlplane.rules.options import RulesOptions
from controlplane.rules.status import Health
from tests.unit.rules.world import T0, World

SECOND = 1000
ALERT = """
groups:
- name: g
  interval: 10s
  rules:
  - alert: Down
    expr: up == 0
    for: 10s
    labels: {severity: page, instance_name: "{{ $labels.instance }}"}
    annotations: {summary: "{{ $labels.instance }} is {{ $value }}"}
"""


@pytest.fixture
def world() -> World:
    """Give an empty store."""
    return World()


def test_an_alert_from_first_sight_to_its_end(world: World) -> None:
    """Pending, firing after `for`, sent with labels and annotations, resolved."""
    group = world.group(ALERT, RulesOptions(external_url="http://x"))
    world.put(T0, {"up{instance=a}": 0})
    assert not group.evaluate(T0, "c1").alerts
    assert world.ask("ALERTS", T0) == {
        'ALERTS{alertname="Down", alertstate="pending", instance="a", instance_name="a", '
        'severity="page"}': 1
    }
    world.put(T0 + 10 * SECOND, {"up{instance=a}": 0})
    (fired,) = group.evaluate(T0 + 10 * SECOND, "c2").alerts
    assert fired.labels == Labels(
        {"alertname": "Down", "instance": "a", "instance_name": "a", "severity": "page"}
    )
    assert fired.annotations == Labels({"summary": "a is 0"})
    assert (fired.starts_at, fired.correlation_id) == (T0 + 10 * SECOND, "c2")
    assert fired.ends_at == T0 + 10 * SECOND + 4 * 60 * SECOND
    assert fired.generator_url == "http://x/query?expr=up%20%3D%3D%200"
    world.put(T0 + 20 * SECOND, {"up{instance=a}": 1})
    (ended,) = group.evaluate(T0 + 20 * SECOND, "c3").alerts
    assert ended.status(T0 + 20 * SECOND) is AlertStatus.RESOLVED
    assert (ended.starts_at, ended.ends_at) == (T0 + 10 * SECOND, T0 + 20 * SECOND)
    assert world.ask('{__name__=~"ALERTS.*"}', T0 + 20 * SECOND) == {}


def test_since_when_an_alert_is_active_is_recorded(world: World) -> None:
    """ALERTS_FOR_STATE holds the seconds of the first sight, pending and firing."""
    group = world.group(ALERT)
    for later in (0, 10 * SECOND):
        world.put(T0 + later, {"up{instance=a}": 0})
        group.evaluate(T0 + later, "")
        (value,) = world.ask("ALERTS_FOR_STATE", T0 + later).values()
        assert value == T0 // 1000
    assert list(world.ask('ALERTS{alertstate="pending"}', T0 + 10 * SECOND)) == []


def test_an_alert_is_sent_again_after_the_resend_delay(world: World) -> None:
    """While it fires it is repeated, with an end that moves on."""
    group = world.group("groups: [{name: g, rules: [{alert: A, expr: vector(1)}]}]")
    sent = [len(group.evaluate(T0 + n * 20 * SECOND, "").alerts) for n in range(8)]
    assert sent == [1, 0, 0, 0, 1, 0, 0, 0]


def test_rules_see_what_earlier_ones_recorded_at_the_same_instant(world: World) -> None:
    """A rule reads a recording rule of its group that stands before it."""
    group = world.group(
        """
groups:
- name: g
  rules:
  - {record: "a:b", expr: "up * 2", labels: {extra: "1"}}
  - {record: "a:c", expr: "a:b + 1"}
"""
    )
    world.put(T0, {"up{instance=a}": 1})
    group.evaluate(T0, "")
    assert world.ask("a:c", T0) == {'a:c{extra="1", instance="a"}': 3}


def test_series_that_a_rule_no_longer_gives_end_at_once(world: World) -> None:
    """A recorded series whose input is gone gets a staleness marker."""
    group = world.group("groups: [{name: g, rules: [{record: r, expr: up}]}]")
    world.put(T0, {"up{instance=a}": 1, "up{instance=b}": 2})
    group.evaluate(T0, "")
    world.put(T0 + SECOND, {"up{instance=a}": None})
    group.evaluate(T0 + SECOND, "")
    assert world.ask("r", T0 + SECOND) == {'r{instance="b"}': 2}


def test_a_query_offset_moves_question_and_answer(world: World) -> None:
    """The expression is asked in the past, and the answer written there."""
    group = world.group("groups: [{name: g, query_offset: 1m, rules: [{record: r, expr: up}]}]")
    world.put(T0 - 60 * SECOND, {"up{}": 1})
    world.put(T0, {"up{}": 2})
    group.evaluate(T0, "")
    assert world.ask("timestamp(r)", T0) == {"{}": (T0 - 60 * SECOND) / 1000}
    assert world.ask("r", T0) == {"r": 1}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ('{record: r, expr: "up"}', "exceeded limit of 1 with 2 series"),
        ('{alert: A, expr: "up"}', "exceeded limit of 1 with 2 alerts"),
        (
            '{record: r, expr: "up", labels: {instance: x}}',
            "vector contains metrics with the same labelset after applying rule labels",
        ),
        (
            '{alert: A, expr: "up", labels: {instance: x}}',
            "vector contains metrics with the same labelset after applying alert labels",
        ),
    ],
)
def test_what_a_rule_may_not_give(world: World, rule: str, reason: str) -> None:
    """Over its limit, or twice the same label set, a rule fails and writes nothing."""
    limit = "limit: 1, " if "limit" in reason else ""
    group = world.group(f"groups: [{{name: g, {limit}rules: [{rule}]}}]")
    world.put(T0, {"up{instance=a}": 1, "up{instance=b}": 1})
    assert group.evaluate(T0, "").alerts == []
    (member,) = group.status().rules
    assert (member.health, member.last_error) == (Health.ERROR, reason)
    assert world.ask('{__name__=~"r|ALERTS"}', T0) == {}
    failures = world.registry.get_sample_value(
        "controlplane_rule_evaluation_failures_total", {"rule_group": "f.yml;g"}
    )
    assert failures == 1


def test_a_rule_that_fails_keeps_its_alerts(world: World) -> None:
    """An evaluation that breaks neither resolves nor forgets; the alert is still repeated."""
    text = 'groups: [{name: g, rules: [{alert: A, expr: "up == 0 or on() (a + on() b)"}]}]'
    group = world.group(text)
    world.put(T0, {"up{i=a}": 0})
    assert len(group.evaluate(T0, "").alerts) == 1
    later = T0 + 90 * SECOND
    world.put(later, {"up{i=a}": 0, "a{}": 1, "b{x=1}": 1, "b{x=2}": 1})
    again = group.evaluate(later, "").alerts
    (member,) = group.status().rules
    assert member.health is Health.ERROR
    assert [alert.status(later) for alert in again] == [AlertStatus.FIRING]


def test_a_rule_that_goes_on_failing_is_written_twice(world: World) -> None:
    """When it begins to fail and when it works again, whatever its interval; all are counted."""
    group = world.group('groups: [{name: g, rules: [{record: r, expr: "a + on() b"}]}]')
    with capture_logs() as told:
        for slot in range(20):
            now = T0 + slot * SECOND
            world.put(now, {"a{}": 1, "b{x=1}": 1, "b{x=2}": 1} if slot < 19 else {"c{}": 1})
            group.evaluate(now, "")
        group.evaluate(T0 + 600 * SECOND, "")
    assert [(line["event"], line["rule"]) for line in told] == [
        ("rule failed", "r"),
        ("rule works again", "r"),
    ]
    assert "many-to-many" in told[0]["reason"]


def test_a_template_that_cannot_be_expanded_says_so_in_its_place(world: World) -> None:
    """The alert fires all the same, and the text holds the reason, as in Prometheus."""
    group = world.group(
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), "
        "annotations: {s: '{{ query \"nope\" | first }}'}}]}]"
    )
    (alert,) = group.evaluate(T0, "").alerts
    assert alert.annotations["s"] == (
        "<error expanding template: error executing template __alert_A: template: "
        '__alert_A:1:130: executing "__alert_A" at <first>: error calling first: '
        "first() called on vector with no elements>"
    )


def test_annotations_may_query(world: World) -> None:
    """A text that asks the store is expanded anew in each pass."""
    group = world.group(
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), "
        "annotations: {s: '{{ query \"x\" | first | value }}'}}]}]"
    )
    for number in (1, 2):
        at = T0 + number * 100 * SECOND
        world.put(at, {"x{}": number})
        (alert,) = group.evaluate(at, "").alerts
        assert alert.annotations["s"] == str(number)


def test_annotations_may_be_jinja(world: World) -> None:
    """A text that begins with the mark sees the same data and functions."""
    group = world.group(
        "groups: [{name: g, rules: [{alert: A, expr: up, annotations: "
        "{s: '{{/* jinja2 */}}{{ labels.i }} {{ value|humanize }}'}}]}]"
    )
    world.put(T0, {"up{i=a}": 1234567})
    (alert,) = group.evaluate(T0, "").alerts
    assert alert.annotations["s"] == "a 1.235M"


def test_an_empty_label_removes_that_of_the_series(world: World) -> None:
    """Group labels stand under rule labels, and an empty text takes a label away."""
    group = world.group(
        """
groups:
- name: g
  labels: {team: ops, dc: x}
  rules:
  - {alert: A, expr: up, labels: {instance: "", team: "{{ $labels.job }}"}}
"""
    )
    world.put(T0, {"up{instance=a,job=j}": 1})
    (alert,) = group.evaluate(T0, "").alerts
    assert alert.labels == Labels({"alertname": "A", "dc": "x", "job": "j", "team": "j"})


def test_external_labels_are_added_on_the_way_out(world: World) -> None:
    """They name the alert at receivers, unless it has such a label of its own."""
    group = world.group(
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {dc: own}}]}]",
        RulesOptions(external_labels=Labels({"dc": "x", "region": "eu"})),
    )
    (alert,) = group.evaluate(T0, "").alerts
    assert alert.labels == Labels({"alertname": "A", "dc": "own", "region": "eu"})


def test_a_reactive_pass_writes_only_when_a_state_changes(world: World) -> None:
    """The clock's pass writes ALERTS each time, a reactive one on a change."""
    group = world.group(
        ALERT.replace("for: 10s", "for: 0s").replace("interval: 10s", "interval: 1s")
    )
    world.put(T0, {"up{instance=a}": 0})
    group.evaluate_reactive(group.members, T0, "")
    assert len(world.ask("ALERTS", T0)) == 1
    world.put(T0 + 100, {"up{instance=a}": 0})
    group.evaluate_reactive(group.members, T0 + 100, "")
    (written,) = world.ask("timestamp(ALERTS)", T0 + 100).values()
    assert written == T0 / 1000
    group.evaluate(T0 + 1000, "")
    (written,) = world.ask("timestamp(ALERTS)", T0 + 1000).values()
    assert written == T0 / 1000 + 1


def test_a_slot_behind_a_reactive_pass_moves_one_instant_on(world: World) -> None:
    """The state never goes back in time, and nothing that it writes comes out of order."""
    group = world.group(
        ALERT.replace("for: 10s", "for: 0s").replace("interval: 10s", "interval: 1s")
    )
    world.put(T0, {"up{instance=a}": 0})
    group.evaluate_reactive(group.members, T0 + 3, "")
    group.evaluate(T0 + 1, "")
    (member,) = group.status().rules
    assert [each.ts for each in member.history] == [T0 + 3, T0 + 4]


@pytest.mark.parametrize(
    ("interval", "rule", "reactive"),
    [
        ("5s", "{alert: A, expr: up}", True),
        ("6s", "{alert: A, expr: up}", False),
        ("1s", "{record: r, expr: up}", False),
        ("1s", "{alert: A, expr: 'r == 0'}", False),
        ("1s", "{alert: A, expr: '{job=\"x\"}'}", False),
        ("1s", "{alert: A, expr: 'ALERTS{alertname=\"B\"}'}", True),
    ],
)
def test_which_rules_are_reactive(world: World, interval: str, rule: str, reactive: bool) -> None:
    """Short intervals; never recording rules, nor rules that may read one of their group."""
    text = f"groups: [{{name: g, interval: {interval}, rules: [{{record: r, expr: up}}, {rule}]}}]"
    assert world.group(text).status().rules[1].reactive is reactive


def test_a_query_offset_rules_out_reactive_evaluation(world: World) -> None:
    """What is asked in the past does not hurry."""
    text = "groups: [{name: g, interval: 1s, query_offset: 1s, rules: [{alert: A, expr: up}]}]"
    assert not world.group(text).status().rules[0].reactive


def test_ids_are_stable_and_tell_equal_rules_apart() -> None:
    """An id depends on file, group, name and labels, not on lines or expressions."""
    one = load_text(
        "groups: [{name: g, rules: [{alert: A, expr: up}, {alert: A, expr: down}]}]", "f"
    )
    other = load_text("# moved\n\ngroups: [{name: g, rules: [{alert: A, expr: x}]}]", "f")
    first, second = rule_ids(one[0])
    assert first != second
    assert rule_ids(other[0]) == [first]
    assert rule_ids(load_text("groups: [{name: g, rules: [{alert: A, expr: x}]}]", "h")[0]) != [
        first
    ]


def test_values_that_are_no_numbers_are_elements_too(world: World) -> None:
    """NaN in a result is an alert like any other."""
    group = world.group("groups: [{name: g, rules: [{alert: A, expr: up}]}]")
    world.put(T0, {"up{i=a}": math.nan})
    assert len(group.evaluate(T0, "").alerts) == 1


def test_a_slot_after_a_reactive_pass_sends_nothing_twice() -> None:
    """The pass was ahead of the slot: that is no clock that was set back."""
    world = World()
    group = world.group("groups: [{name: g, interval: 1s, rules: [{alert: Down, expr: up == 0}]}]")
    world.put(T0, {"up{i=a}": 0})
    first = group.evaluate_reactive(group.members, T0 + 900, "r")
    assert len(first.alerts) == 1
    assert group.evaluate(T0 + 500, "s").alerts == []
