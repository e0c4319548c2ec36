"""Unknown is a state: what a rule cannot tell is neither good nor over."""

from collections.abc import Mapping, Sequence

import pytest

from controlplane.clock import Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.labels import Labels
from controlplane.rules.group import Group, Pass
from controlplane.rules.inputs import Inputs
from controlplane.rules.options import RuleMatch, RuleSettings, RulesOptions
from controlplane.rules.state import Condition, Policy
from controlplane.rules.status import Health
from tests.unit.rules.world import T0, World

STEP = 15_000
QUEUE = """
groups: [{name: g, rules: [{alert: Queue, expr: EXPR, for: HOLD, labels: {team: shop}}]}]
"""
A, B = "{job=shop,instance=a}", "{job=shop,instance=b}"


@pytest.fixture
def world() -> World:
    """Give an empty store."""
    return World()


class Course:
    """A group evaluated every 15 s; a failed scrape is `up` 0 and the end of the series."""

    def __init__(
        self,
        world: World,
        expr: str = "queue > 5",
        *,
        hold: str = "0s",
        no_data: Policy | None = None,
        error: Policy | None = None,
        limit: int = 0,
    ) -> None:
        text = QUEUE.replace("EXPR", f"'{expr}'").replace("HOLD", hold)
        text = text.replace("{name: g,", f"{{name: g, limit: {limit},")
        setting = RuleSettings(RuleMatch(), no_data=no_data, error=error)
        self.world = world
        self.ts: Timestamp = T0
        self.group: Group = world.group(text, RulesOptions(settings=(setting,)), plain=False)
        self.done = Pass()

    def go(self, samples: Mapping[str, float | None]) -> Sequence[Alert]:
        """Scrape, evaluate, move on; return what is sent."""
        self.world.put(self.ts, samples)
        return self.evaluate()

    def evaluate(self) -> Sequence[Alert]:
        """Evaluate without anything scraped."""
        self.done = self.group.evaluate(self.ts, "c")
        self.ts += STEP
        return self.done.alerts

    def states(self) -> dict[str, str]:
        """Return the active alerts of the rule: instance and state."""
        (rule,) = self.group.alerting
        return {
            alert.labels.value("instance"): alert.state.value
            for alert in rule.alerts
            if alert.active
        }

    @property
    def condition(self) -> Condition:
        return self.group.status().rules[0].verdict.condition


READ = {f"up{A}": 1.0, f"queue{A}": 9.0}
FAILED = {f"up{A}": 0.0, f"queue{A}": None}
GOOD_WITHOUT = {f"up{A}": 1.0, f"queue{A}": None}
GOOD_B_WITHOUT = {f"up{B}": 1.0, f"queue{B}": None}
GONE = {f"up{A}": None, f"queue{A}": None}


def test_a_failed_scrape_resolves_nothing(world: World) -> None:
    """The alert goes on firing, is sent again, and ends when a scrape says so."""
    course = Course(world)
    course.go(READ)
    for _ in range(6):
        course.go(FAILED if course.ts == T0 + STEP else {f"up{A}": 0})
        assert (course.states(), course.condition) == ({"a": "firing"}, Condition.NO_DATA)
    course.go({f"up{A}": 1, f"queue{A}": 3})
    assert (course.states(), course.condition) == ({}, Condition.OK)
    assert [alert.status(course.ts) for alert in course.done.alerts] == [AlertStatus.RESOLVED]


@pytest.mark.parametrize("end", [GOOD_WITHOUT, GONE])
def test_what_is_really_gone_resolves(world: World, end: Mapping[str, float | None]) -> None:
    """A series missing from a good scrape, or a target removed, is as in Prometheus."""
    course = Course(world)
    course.go(READ)
    course.go(end)
    assert (course.states(), course.condition) == ({}, Condition.OK)


def test_a_target_that_fails_and_is_then_removed_resolves(world: World) -> None:
    """Nobody waits for a target that is not there any more."""
    course = Course(world)
    course.go(READ)
    course.go(FAILED)
    course.go({f"up{A}": None})
    assert course.states() == {}


def test_a_series_that_was_gone_before_its_target_failed_stays_gone(world: World) -> None:
    """What a good scrape ended is no loss of the failed one after it."""
    course = Course(world)
    course.go(GOOD_WITHOUT | {f"queue{A}": 9})
    course.go(GOOD_WITHOUT)
    course.go({f"up{A}": 0})
    assert (course.states(), course.condition) == ({}, Condition.OK)


def test_a_scrape_that_does_not_run_resolves_nothing(world: World) -> None:
    """Samples that only grow old were not read; after an hour the target was removed."""
    course = Course(world)
    course.go(READ)
    course.ts = T0 + 10 * 60_000
    course.evaluate()
    assert (course.states(), course.condition) == ({"a": "firing"}, Condition.NO_DATA)
    course.ts = T0 + 70 * 60_000
    course.evaluate()
    assert course.states() == {}


def test_only_what_the_failed_target_is_about_is_kept(world: World) -> None:
    """Another target's alert, and another group of an aggregation, go their own way."""
    course = Course(world, "sum by (instance) (queue) > 5")
    course.go(READ | {f"up{B}": 1, f"queue{B}": 9})
    course.go(FAILED | {f"up{B}": 1, f"queue{B}": 1})
    assert course.states() == {"a": "firing"}


def test_a_sum_over_all_waits_for_each_of_its_parts(world: World) -> None:
    """A label that was aggregated away contradicts nothing."""
    course = Course(world, "sum(queue) > 10")
    course.go(READ | {f"up{B}": 1, f"queue{B}": 9})
    course.go(FAILED | {f"up{B}": 1, f"queue{B}": 9})
    assert course.states() == {"": "firing"}


def test_labels_that_the_expression_makes_up_are_not_compared(world: World) -> None:
    """`label_replace` may give the alert another instance than its series'."""
    expr = 'label_replace(queue, "instance", "x-$1", "instance", "(.*)") > 5'
    course = Course(world, expr)
    course.go(READ)
    course.go(FAILED)
    assert course.states() == {"x-a": "firing"}


def test_a_series_under_a_foreign_name_is_known_by_the_instant_of_its_end(world: World) -> None:
    """With honor_labels its job and instance are not its target's."""
    course = Course(world, "pushed > 5")
    pushed = "pushed{job=batch,instance=z}"
    course.go({f"up{A}": 1, pushed: 9})
    course.go({f"up{A}": 0, pushed: None})
    assert course.states() == {"z": "firing"}


def test_a_failed_scrape_pauses_the_waiting(world: World) -> None:
    """`for` neither goes on nor begins anew while nobody can tell."""
    course = Course(world, hold="30s")
    course.go(READ)
    course.go(READ)
    for _ in range(4):
        course.go(FAILED)
        assert course.states() == {"a": "pending"}
    course.go(READ)
    assert course.states() == {"a": "firing"}


def test_absent_is_exempt(world: World) -> None:
    """What fires because a series is absent is not held by its absence."""
    course = Course(world, 'absent(queue{job="shop"})')
    course.go(READ)
    course.go(FAILED)
    assert (course.states(), course.condition) == ({"": "firing"}, Condition.OK)
    course.go(READ)
    assert course.states() == {}


def test_no_data_may_count_as_good(world: World) -> None:
    """With the policy `ok` it is as in Prometheus, but it is said."""
    course = Course(world, no_data=Policy.OK)
    course.go(READ)
    course.go(FAILED)
    assert (course.states(), course.condition) == ({}, Condition.NO_DATA)


def test_no_data_may_be_an_alert_of_its_own(world: World) -> None:
    """Raised once, with the rule's labels, and ended when the rule can tell again."""
    course = Course(world, no_data=Policy.ALERT)
    course.go(READ)
    (raised,) = course.go(FAILED)
    assert raised.labels == Labels(
        {"alertname": "RuleNoData", "rule": "Queue", "rule_group": "g", "team": "shop"}
    )
    assert "could not be read" in raised.annotations.value("summary")
    assert course.go(FAILED) == []
    ended = [alert for alert in course.go(READ) if alert.name == "RuleNoData"]
    assert [alert.status(course.ts) for alert in ended] == [AlertStatus.RESOLVED]
    assert course.states() == {"a": "firing"}


BROKEN = {f"up{A}": 1.0, f"queue{A}": 9.0, "x{i=1}": 1.0, "x{i=2}": 1.0, "y": 1.0}
MENDED = {f"up{A}": 1.0, f"queue{A}": 9.0, "x{i=2}": None, "y": None}


@pytest.mark.parametrize(
    ("policy", "state", "raised"),
    [
        (None, {"a": "firing"}, []),
        (Policy.ALERT, {"a": "firing"}, ["RuleError"]),
        (Policy.OK, {}, ["Queue"]),
    ],
)
def test_a_query_that_fails(
    world: World, policy: Policy | None, state: dict[str, str], raised: list[str]
) -> None:
    """By policy the alerts stay, with or without an alert on the rule, or resolve."""
    course = Course(world, "queue > 5 or on() (y + on() x)", error=policy)
    course.go(READ)
    sent = course.go(BROKEN)
    assert (course.states(), course.condition) == (state, Condition.ERROR)
    assert [alert.name for alert in sent] == raised
    course.go(MENDED)
    assert (course.states(), course.condition) == ({"a": "firing"}, Condition.OK)


def test_a_query_that_fails_pauses_the_waiting_and_goes_on_being_shown(world: World) -> None:
    """The time in which nobody could tell does not count, and `ALERTS` does not break off."""
    course = Course(world, "queue > 5 or on() (y + on() x)", hold="30s")
    course.go(READ)
    for _ in range(3):
        course.go(BROKEN)
        assert course.states() == {"a": "pending"}
        assert len(world.ask('ALERTS{alertstate="pending"}', course.ts - STEP)) == 1
    course.go(MENDED)
    assert course.states() == {"a": "pending"}


def test_a_rule_over_its_limit_keeps_its_alerts_and_says_so(world: World) -> None:
    """One alert on itself, whatever the policies are."""
    course = Course(world, limit=1)
    course.go(READ)
    sent = course.go(READ | {f"up{B}": 1, f"queue{B}": 9})
    assert (course.states(), course.condition) == ({"a": "firing"}, Condition.LIMIT)
    assert [alert.name for alert in sent] == ["RuleLimitExceeded"]
    ended = course.go(READ | {f"queue{B}": 1})
    assert [alert.status(course.ts) for alert in ended] == [AlertStatus.RESOLVED]


def test_doubts_are_told_when_they_begin_and_when_they_end(world: World) -> None:
    """Once each, with the reason: what the ledger keeps."""
    course = Course(world)
    course.go(READ)
    assert course.done.doubts == []
    course.go(FAILED)
    (doubt,) = course.done.doubts
    assert (doubt.condition, doubt.labels.value("instance")) == (Condition.NO_DATA, "a")
    assert "queue" in doubt.reason
    course.go(FAILED)
    assert course.done.doubts == []
    course.go(READ)
    assert [doubt.condition for doubt in course.done.doubts] == [Condition.OK]


def test_the_status_of_a_rule_says_that_it_cannot_tell(world: World) -> None:
    """Its health is unknown, in Prometheus' words, and its last error the reason."""
    course = Course(world)
    course.go(READ)
    course.go(FAILED)
    (status,) = course.group.status().rules
    assert (status.health, status.verdict.since) == (Health.UNKNOWN, T0 + STEP)
    assert "queue" in status.last_error
    course.go(READ)
    (status,) = course.group.status().rules
    assert (status.health, status.last_error) == (Health.OK, "")


def test_how_many_rules_cannot_tell_is_counted(world: World) -> None:
    """By group and condition, back to none when they can again."""
    course = Course(world)
    course.go(READ)
    name = "controlplane_rule_group_unknown_rules"
    labels = {"rule_group": "f.yml;g", "condition": "no_data"}
    course.go(FAILED)
    assert world.registry.get_sample_value(name, labels) == 1
    course.go(READ)
    assert world.registry.get_sample_value(name, labels) == 0


def test_without_looking_at_inputs_it_is_plain_prometheus(world: World) -> None:
    """As unit tests of rules run: a failed scrape resolves."""
    text = QUEUE.replace("EXPR", "queue > 5").replace("HOLD", "0s")
    group = world.group(text)
    world.put(T0, READ)
    assert len(group.evaluate(T0, "").alerts) == 1
    world.put(T0 + STEP, FAILED)
    (ended,) = group.evaluate(T0 + STEP, "").alerts
    assert ended.status(T0 + STEP) is AlertStatus.RESOLVED


def test_a_rule_that_is_removed_takes_its_complaint_along(world: World) -> None:
    """The alert on the rule ends with the rule."""
    course = Course(world, no_data=Policy.ALERT)
    course.go(READ)
    course.go(FAILED)
    (rule,) = course.group.alerting
    ended = {alert.name: alert.status(course.ts) for alert in rule.ended(course.ts, "c")}
    assert ended == {"Queue": AlertStatus.RESOLVED, "RuleNoData": AlertStatus.RESOLVED}


def test_a_restart_in_the_middle_of_an_outage_resolves_nothing(world: World) -> None:
    """The samples tell what could not be read, so nothing has to be remembered."""
    before = Course(world)
    before.go(READ)
    before.go(FAILED)
    (kept,) = before.group.alerting
    after = Course(world)
    after.ts = before.ts
    (rule,) = after.group.alerting
    rule.restore(kept.alerts, after.ts)
    for _ in range(12):
        after.go({f"up{A}": 0})
        assert (after.states(), after.condition) == ({"a": "firing"}, Condition.NO_DATA)
    after.go(GOOD_WITHOUT)
    assert after.states() == {}


CHAIN = """
groups:
- name: g
  rules:
  - {record: "instance:queue", expr: "sum by (instance) (queue)", labels: {kind: sum}}
  - {record: "all:queue", expr: "instance:queue * 1"}
  - {alert: Queue, expr: "all:queue > 5"}
"""


def test_what_is_recorded_of_unread_series_is_unread_too(world: World) -> None:
    """Through any number of recording rules, and only for the target that failed."""
    inputs = Inputs(world.store)
    group = world.group(CHAIN, inputs=inputs)
    inputs.watch(group.recording)
    world.put(T0, READ | {f"up{B}": 1, f"queue{B}": 9})
    assert len(group.evaluate(T0, "").alerts) == 2
    world.put(T0 + STEP, FAILED | GOOD_B_WITHOUT)
    (ended,) = group.evaluate(T0 + STEP, "").alerts
    assert ended.labels.value("instance") == "b"
    world.put(T0 + 2 * STEP, GOOD_WITHOUT)
    (ended,) = group.evaluate(T0 + 2 * STEP, "").alerts
    assert ended.labels.value("instance") == "a"
