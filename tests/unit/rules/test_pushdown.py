"""Rules that another engine evaluates: its answers, our states."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from controlplane.clock import SystemClock, Timestamp
from controlplane.errors import Unavailable
from controlplane.model.labels import Labels
from controlplane.promql.values import Scalar, Vector
from controlplane.rules.group import Group, Pass
from controlplane.rules.manager import Manager
from controlplane.rules.options import LOCAL, RuleMatch, RuleSettings, RulesOptions
from controlplane.rules.pushdown import Pushdown
from controlplane.rules.status import Health
from controlplane.tsdb.remote.options import Datasource
from tests.unit.rules.stage import Stage
from tests.unit.rules.world import DEFAULTS, T0, World, labels

THERE = Datasource("http://there")
OTHER = Datasource("http://other")
ELSEWHERE = replace(DEFAULTS, datasource=THERE)
DOWN = """
groups:
- name: g
  interval: 10s
  rules:
  - {alert: Down, expr: up == 0, for: 20s}
  - {record: ups, expr: sum(up)}
"""
ASKING = """
groups:
- name: g
  interval: 10s
  rules:
  - alert: Down
    expr: up == 0
    annotations: {on: '{{ with query "sum(up)" }}{{ . | first | value }}{{ end }}'}
"""


@dataclass
class Remote:
    """An engine whose answers are given by expression; each question is remembered."""

    answers: dict[str, Callable[[], Vector | Scalar]] = field(default_factory=dict)
    asked: list[tuple[Datasource, str, Timestamp]] = field(default_factory=list)

    async def __call__(self, engine: Datasource, expr: str, ts: Timestamp) -> Vector | Scalar:
        self.asked.append((engine, expr, ts))
        found = self.answers.get(expr)
        if found is None:
            raise Unavailable("the datasource does not answer")
        return found()

    def says(self, expr: str, *found: tuple[str, float]) -> None:
        """Answer an expression with these series and values from now on."""
        series = [labels(each) for each, _ in found]
        values = np.array([value for _, value in found], dtype=np.float64)
        self.answers[expr] = lambda: Vector(0, series, values)


async def evaluate(remote: Remote, group: Group, ts: Timestamp) -> Pass:
    """Evaluate as the manager does: ask first, then pass on another thread."""
    pushdown = Pushdown(remote, SystemClock())
    answers = await pushdown.ask(ts, group.questions(ts), group.interval)
    return await asyncio.to_thread(group.evaluate, ts, "id", answers)


async def test_states_are_ours_answers_are_not() -> None:
    """An alert waits for its `for` and ends; what it and records are go into our store."""
    world, remote = World(), Remote()
    group = world.group(DOWN, ELSEWHERE)
    remote.says("up == 0", ('up{job="a"}', 0.0))
    remote.says("sum(up)", ("", 3.0))
    found = [await evaluate(remote, group, T0 + 10_000 * n) for n in range(3)]
    assert [len(each.alerts) for each in found] == [0, 0, 1]
    assert world.ask("ups", T0 + 20_000) == {"ups": 3.0}
    assert world.ask("ALERTS", T0 + 20_000) == {
        'ALERTS{alertname="Down", alertstate="firing", job="a"}': 1.0
    }
    remote.says("up == 0")
    ended = await evaluate(remote, group, T0 + 30_000)
    assert [alert.ends_at for alert in ended.alerts] == [T0 + 30_000]
    assert world.ask("ALERTS", T0 + 30_000) == {}


async def test_no_answer_changes_no_state() -> None:
    """The rule's health tells it; the alert goes on as it was."""
    world, remote = World(), Remote()
    group = world.group(DOWN, ELSEWHERE)
    remote.says("up == 0", ('up{job="a"}', 0.0))
    for n in range(3):
        await evaluate(remote, group, T0 + 10_000 * n)
    remote.answers.clear()
    assert not (await evaluate(remote, group, T0 + 30_000)).alerts
    rule = group.status().rules[0]
    assert (rule.health, rule.last_error) == (Health.ERROR, "the datasource does not answer")
    assert [alert.state.value for alert in rule.alerts] == ["firing"]


async def test_questions_are_asked_for_the_rules_own_time() -> None:
    """With the query offset, once for equal ones, and only of those that are not ours."""
    world, remote = World(), Remote()
    settings = (
        RuleSettings(RuleMatch(alertname="Ours"), datasource=LOCAL),
        RuleSettings(RuleMatch(alertname="Other"), datasource=OTHER),
        RuleSettings(RuleMatch(), datasource=LOCAL),
    )
    text = """
groups:
- name: g
  query_offset: 5s
  rules:
  - {alert: Ours, expr: up == 0}
  - {alert: Other, expr: up == 0}
  - {record: other, expr: up == 0}
"""
    group = world.group(text, replace(ELSEWHERE, settings=settings[:2]))
    await evaluate(remote, group, T0)
    assert sorted((engine.url, expr, ts) for engine, expr, ts in remote.asked) == [
        ("http://other", "up == 0", T0 - 5000),
        ("http://there", "up == 0", T0 - 5000),
    ]
    assert world.group(text, replace(ELSEWHERE, settings=(settings[2],))).questions(T0) == []


async def test_what_texts_ask_is_asked_beforehand_the_next_time() -> None:
    """The first time the thread waits for it, from then on nobody does."""
    world, remote = World(), Remote()
    group = world.group(ASKING, ELSEWHERE)
    remote.says("up == 0", ('up{job="a"}', 0.0))
    remote.says("sum(up)", ("", 7.0))
    first = await evaluate(remote, group, T0)
    assert first.alerts[0].annotations == Labels({"on": "7"})
    assert [question.expr for question in group.questions(T0 + 10_000)] == ["up == 0", "sum(up)"]
    remote.says("sum(up)", ("", 8.0))
    await evaluate(remote, group, T0 + 10_000)
    assert group.alerting[0].alerts[0].annotations == Labels({"on": "8"})
    assert [(expr, ts - T0) for _, expr, ts in remote.asked] == [
        ("up == 0", 0),
        ("sum(up)", 0),
        ("up == 0", 10_000),
        ("sum(up)", 10_000),
    ]


async def test_an_answer_later_than_the_interval_is_none() -> None:
    """A question may take as long as the group's interval, and no longer."""
    world = World()
    group = world.group(DOWN.replace("10s", "50ms").replace("20s", "0s"), ELSEWHERE)

    async def hang(engine: Datasource, expr: str, ts: Timestamp) -> Vector | Scalar:
        await SystemClock().sleep(30)
        raise AssertionError(engine, expr, ts)

    answers = await Pushdown(hang, SystemClock()).ask(T0, group.questions(T0), group.interval)
    group.evaluate(T0, "id", answers)
    assert "before the next evaluation" in group.status().rules[0].last_error


def test_such_rules_are_not_reactive() -> None:
    """What is committed here is not there yet."""
    options = RulesOptions(datasource=THERE, settings=(RuleSettings(RuleMatch(), reactive=True),))
    assert not any(member.reactive for member in World().group(DOWN, options).members)


async def test_the_manager_asks_in_each_slot() -> None:
    """A group that is evaluated elsewhere keeps its time, and pages as any other."""
    world, remote = World(), Remote()
    remote.says("up == 0", ('up{job="a"}', 0.0))
    remote.says("sum(up)", ("", 1.0))
    stage = Stage(world)
    stage.manager = Manager(
        clock=world.clock,
        query=world.query,
        store=world.store,
        sink=stage.sink,
        states=stage.states,
        metrics=world.metrics,
        remote=remote,
    )
    async with stage.running(DOWN, ELSEWHERE):
        await stage.advance(31)
    assert [alert.name for alert in stage.sink.alerts] == ["Down"]
    asked = [ts for _, expr, ts in remote.asked if expr == "up == 0"]
    assert [later - earlier for earlier, later in pairwise(asked)] == [10_000] * (len(asked) - 1)
