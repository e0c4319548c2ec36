"""When groups are handed on, decided by passing time in."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.errors import Unavailable
from controlplane.model.alert import OWN_NETWORK_DOWN, Alert
from controlplane.model.labels import Labels
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.routing.dispatcher import Dispatcher
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.options import Route
from controlplane.routing.ports import Flush, Grouped
from controlplane.routing.tree import build_tree
from tests.support.clock import ManualClock

NOW = 1_700_000_000_000
ROUTE = Route(receiver="ops", group_by=("job",), group_wait=30_000, group_interval=60_000)


class Stage:
    """Remembers what it was given; fails as often as it is told to."""

    def __init__(self) -> None:
        self.flushes: list[Flush] = []
        self.calls = 0
        self.failures = 0
        self.during: Callable[[], None] = lambda: None

    async def __call__(self, flushes: Sequence[Flush]) -> None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise Unavailable("no database")
        self.during()
        self.flushes += flushes


def dispatcher(route: Route = ROUTE, clock: ManualClock | None = None) -> tuple[Dispatcher, Stage]:
    stage = Stage()
    metrics = RoutingMetrics(CollectorRegistry())
    return Dispatcher(build_tree(route), stage, clock or ManualClock(NOW), metrics), stage


def alert(now: int = NOW, *, ends_at: int = NOW + 10**9, **labels: str) -> Alert:
    return Alert(Labels({"alertname": "A", **labels}), now, ends_at, now)


async def test_a_group_waits_and_then_comes_at_intervals() -> None:
    """First after group_wait, then after each group_interval, with all its alerts."""
    subject, stage = dispatcher()
    subject.offer([alert(job="a", n="2"), alert(job="b")], NOW)
    subject.offer([alert(job="a", n="1")], NOW + 10_000)
    assert subject.next_due() == NOW + 30_000
    assert await subject.flush_due(NOW + 29_999) == 0
    assert await subject.flush_due(NOW + 30_000) == 2
    assert stage.calls == 1
    first = next(flush for flush in stage.flushes if flush.group_labels == Labels({"job": "a"}))
    assert first.group_key == '{}:{job="a"}'
    assert [a.labels.value("n") for a in first.alerts] == ["1", "2"]
    assert subject.next_due() == NOW + 90_000


async def test_looking_at_groups_changes_nothing() -> None:
    """What would be told now, and when, stays as it was."""
    subject, stage = dispatcher()
    subject.offer([alert(job="a"), alert(job="b")], NOW)
    for _ in range(2):
        (first, second) = subject.look(NOW + 5)
        assert (first.group_key, second.group_key) == ('{}:{job="a"}', '{}:{job="b"}')
        assert (first.receiver, first.at, len(first.alerts)) == ("ops", NOW + 5, 1)
        assert subject.size() == (2, 2)
    assert subject.next_due() == NOW + 30_000
    assert stage.calls == 0


async def test_an_old_alert_does_not_wait_again() -> None:
    """One that began more than group_wait ago makes its new group due at once."""
    subject, _ = dispatcher()
    subject.offer([alert(NOW - 30_001, job="a")], NOW)
    assert subject.next_due() == NOW


async def test_group_by_all_makes_a_group_of_each_label_set() -> None:
    """`'...'` groups by everything, an empty list by nothing."""
    subject, _ = dispatcher(replace(ROUTE, group_by=("...",)))
    subject.offer([alert(n="1"), alert(n="2")], NOW)
    assert len(subject.groups()) == 2
    subject, _ = dispatcher(replace(ROUTE, group_by=()))
    subject.offer([alert(n="1"), alert(n="2")], NOW)
    assert [group.labels for group in subject.groups()] == [Labels()]


async def test_resolved_alerts_are_told_once_and_empty_groups_go() -> None:
    """An alert leaves after the flush that told it resolved, unless it fired again meanwhile."""
    subject, stage = dispatcher()
    subject.offer([alert(job="a", n="1"), alert(job="a", n="2")], NOW)
    await subject.flush_due(NOW + 30_000)
    subject.offer([alert(job="a", n="1", ends_at=NOW + 40_000)], NOW + 40_000)
    await subject.flush_due(NOW + 90_000)
    assert [a.labels.value("n") for a in stage.flushes[-1].resolved()] == ["1"]
    assert len(subject.groups()[0]) == 1
    subject.offer([alert(job="a", n="2", ends_at=NOW + 100_000)], NOW + 100_000)
    await subject.flush_due(NOW + 150_000)
    assert subject.groups() == ()
    assert subject.next_due() is None
    assert subject.owned() == frozenset()


async def test_a_stage_that_fails_is_tried_again_with_nothing_lost() -> None:
    """The group stays, resolved alerts included, and is due a second later."""
    subject, stage = dispatcher()
    stage.failures = 1
    subject.offer([alert(job="a", ends_at=NOW + 1)], NOW)
    await subject.flush_due(NOW + 30_000)
    assert (stage.flushes, subject.next_due()) == ([], NOW + 31_000)
    await subject.flush_due(NOW + 31_000)
    assert len(stage.flushes) == 1


async def test_a_stage_that_goes_on_failing_is_a_few_lines() -> None:
    """What is tried each second is written when it begins to fail, and when it works again."""
    subject, stage = dispatcher()
    stage.failures = 20
    subject.offer([alert(job="a")], NOW)
    with capture_logs() as told:
        for second in range(30, 52):
            await subject.flush_due(NOW + second * 1000)
    assert [line["event"] for line in told] == [
        "groups could not be handed on",
        "groups are handed on again",
    ]


async def test_many_groups_are_handed_on_in_batches() -> None:
    """One call of the stage takes a hundred groups, so that transactions stay short."""
    subject, stage = dispatcher()
    subject.offer([alert(job=str(number)) for number in range(250)], NOW)
    assert await subject.flush_due(NOW + 30_000) == 250
    assert stage.calls == 3


async def test_a_reload_keeps_the_clocks_of_groups_that_stay() -> None:
    """Groups of the same key and receiver go on; others begin with their own group_wait."""
    subject, _ = dispatcher()
    subject.offer([alert(job="a", severity="x"), alert(job="b")], NOW)
    await subject.flush_due(NOW + 30_000)
    routes = (Route(receiver="pager", matchers=parse_matchers("severity=x")),)
    tree = build_tree(replace(ROUTE, routes=routes))
    subject.reload(tree, [], NOW + 31_000)
    due = {group.identity: group.due for group in subject.groups()}
    assert due == {
        ("ops", '{}:{job="b"}'): NOW + 90_000,
        # Its alert has waited its group_wait long ago.
        ("pager", '{}/{severity="x"}:{job="a"}'): NOW + 31_000,
    }
    assert subject.receivers(Labels({"severity": "x"})) == ("pager",)


async def test_a_shorter_interval_counts_from_the_reload() -> None:
    """A group that stays is due at the latest after its new interval."""
    subject, _ = dispatcher()
    subject.offer([alert(job="a")], NOW)
    await subject.flush_due(NOW + 30_000)
    subject.reload(build_tree(replace(ROUTE, group_interval=5_000)), [], NOW + 31_000)
    assert subject.next_due() == NOW + 36_000


async def test_the_loop_hands_on_at_once_without_group_wait() -> None:
    """An alert wakes the loop: nothing is polled."""
    clock = ManualClock(NOW)
    subject, stage = dispatcher(replace(ROUTE, group_wait=0), clock)
    loop = asyncio.create_task(subject.run())
    await clock.settle()
    subject.offer([alert(job="a")], NOW)
    await clock.settle()
    assert len(stage.flushes) == 1
    await clock.advance(60)
    assert len(stage.flushes) == 2
    loop.cancel()


async def test_a_clock_that_falls_back_takes_the_timers_along() -> None:
    """After a jump of an hour the group still comes within its interval."""
    clock = ManualClock(NOW)
    subject, stage = dispatcher(clock=clock)
    loop = asyncio.create_task(subject.run())
    subject.offer([alert(job="a")], NOW)
    await clock.advance(5)
    clock.set(clock.now() - 3_600_000)
    await clock.advance(40)
    assert len(stage.flushes) == 1
    loop.cancel()


def test_it_is_said_why_an_alert_goes_where_it_goes() -> None:
    """Once for each route that takes it; again when it begins anew, or with another tree."""
    said: list[Grouped] = []
    critical = Route(receiver="page", matchers=parse_matchers('severity="critical"'))
    route = replace(ROUTE, routes=(replace(critical, continue_=True), Route(receiver="ops")))
    metrics = RoutingMetrics(CollectorRegistry())
    subject = Dispatcher(build_tree(route), Stage(), ManualClock(NOW), metrics, record=said.append)
    broken = alert(job="a", severity="critical")
    subject.offer([broken], NOW)
    subject.offer([replace(broken, updated_at=NOW + 1)], NOW + 1)
    assert [(each.receiver, each.route) for each in said] == [
        ("page", '{}/{severity="critical"}'),
        ("ops", "{}/{}"),
    ]
    assert (said[0].group_key, said[0].group_wait, said[0].at) == (
        '{}/{severity="critical"}:{job="a"}',
        30_000,
        NOW,
    )
    subject.offer([replace(broken, starts_at=NOW + 2)], NOW + 2)
    assert len(said) == 4
    subject.reload(build_tree(ROUTE), [], NOW + 3)
    assert (said[-1].receiver, said[-1].route) == ("ops", "{}")


async def test_nothing_is_handed_on_while_alerts_gather() -> None:
    """What comes in parts is told as one, also by a group that waits for nothing."""
    clock = ManualClock(NOW)
    subject, stage = dispatcher(replace(ROUTE, group_wait=0), clock)
    task = asyncio.create_task(subject.run())
    with subject.gathering():
        for n in range(3):
            subject.offer([alert(job="a", n=f"{n}")], NOW)
            await clock.settle()
        assert stage.calls == 0
    await clock.settle()
    assert [len(flush.alerts) for flush in stage.flushes] == [3]
    task.cancel()


async def test_what_was_held_is_handed_on_at_once() -> None:
    """Only the groups of those alerts; then they go on by their interval."""
    subject, stage = dispatcher()
    subject.offer([alert(job="a"), alert(job="b")], NOW)
    await subject.flush_due(NOW + 30_000)
    subject.hurry({alert(job="a").labels}, NOW + 40_000)
    assert await subject.flush_due(NOW + 40_000) == 1
    assert stage.flushes[-1].group_labels == Labels({"job": "a"})
    assert subject.next_due() == NOW + 90_000


async def test_the_alert_about_our_own_network_waits_for_nobody() -> None:
    """Neither for group_wait nor for the interval of the group that it comes to; once."""
    subject, stage = dispatcher(replace(ROUTE, group_by=()))
    subject.offer([alert()], NOW)
    await subject.flush_due(NOW + 30_000)
    ours = Alert(Labels({"alertname": OWN_NETWORK_DOWN}), NOW + 40_000, NOW + 10**9, NOW + 40_000)
    subject.offer([ours], NOW + 40_000)
    assert await subject.flush_due(NOW + 40_000) == 1
    assert len(stage.flushes[-1].alerts) == 2
    subject.offer([replace(ours, updated_at=NOW + 60_000)], NOW + 60_000)
    assert subject.next_due() == NOW + 100_000
