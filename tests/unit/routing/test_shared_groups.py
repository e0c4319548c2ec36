"""Groups where several replicas share them: each has all, and flushes its own."""

import asyncio

from prometheus_client import CollectorRegistry

from controlplane.model.labels import Labels
from controlplane.model.share import Role, notifier_key
from controlplane.routing.dispatcher import Dispatcher
from controlplane.routing.metrics import RoutingMetrics
from controlplane.routing.options import Route
from controlplane.routing.ports import Grouped
from controlplane.routing.tree import build_tree
from tests.support.clock import ManualClock
from tests.support.share import SettableShare
from tests.unit.routing.test_dispatcher import NOW, ROUTE, Stage, alert


def shared(*owned: str, route: Route = ROUTE) -> tuple[Dispatcher, Stage, SettableShare]:
    """Return a dispatcher of one of several replicas, which owns these values of `job`."""
    keys = [notifier_key("ops", Labels({"job": job})) for job in owned]
    stage, share = Stage(), SettableShare(keys, role=Role.NOTIFIER)
    metrics = RoutingMetrics(CollectorRegistry())
    found = Dispatcher(build_tree(route), stage, ManualClock(NOW), metrics, share=share)
    return found, stage, share


def job(name: str) -> str:
    return notifier_key("ops", Labels({"job": name}))


async def test_groups_of_other_replicas_are_parked() -> None:
    """They hold their alerts and are looked at, and are nobody's to flush here."""
    subject, stage, share = shared("a")
    subject.offer([alert(job="a"), alert(job="b")], NOW)
    assert await subject.flush_due(NOW + 30_000) == 1
    (flush,) = stage.flushes
    assert flush.group_labels == Labels({"job": "a"})
    assert flush.fence == share.fence([job("a")])
    assert len(subject.owned()) == len(subject.look(NOW)) == 2
    assert subject.next_due() == NOW + 90_000


async def test_a_parked_group_that_becomes_ours_is_due_at_once() -> None:
    """The others keep their clocks: those that are ours, and those that are not due yet."""
    subject, stage, share = shared("a")
    subject.offer([alert(job="a"), alert(job="b")], NOW)
    await subject.flush_due(NOW + 30_000)
    subject.offer([alert(NOW + 25_000, job="c")], NOW + 25_000)
    share.give(job("b"), job("c"))
    assert await subject.flush_due(NOW + 30_000) == 1
    assert stage.flushes[-1].group_labels == Labels({"job": "b"})
    assert await subject.flush_due(NOW + 54_999) == 0
    assert await subject.flush_due(NOW + 55_000) == 1
    assert stage.flushes[-1].group_labels == Labels({"job": "c"})
    assert subject.next_due() == NOW + 90_000


async def test_a_group_that_is_given_away_is_parked_when_it_is_due() -> None:
    """Back again before that, it goes on with its clock."""
    subject, stage, share = shared("a")
    subject.offer([alert(job="a")], NOW)
    await subject.flush_due(NOW + 30_000)
    share.take(job("a"))
    share.give(job("a"))
    assert subject.next_due() == NOW + 90_000
    share.take(job("a"))
    assert await subject.flush_due(NOW + 90_000) == 0
    assert subject.next_due() is None
    assert len(stage.flushes) == 1


async def test_a_group_that_is_lost_while_it_is_handed_on_is_told_again() -> None:
    """It may have been refused: it is parked, or due at once when it is ours anew."""
    subject, stage, share = shared("a")
    ended = alert(job="a", n="ended", ends_at=NOW + 1)
    subject.offer([alert(job="a"), ended], NOW)
    stage.during = lambda: share.take(job("a"))
    assert await subject.flush_due(NOW + 30_000) == 1
    stage.during = lambda: share.give(job("a")) if len(stage.flushes) == 1 else None
    share.give(job("a"))
    assert await subject.flush_due(NOW + 30_000) == 2
    first, second, third = stage.flushes
    assert first.resolved() == second.resolved() == third.resolved() == (ended,)
    assert len({flush.fence for flush in stage.flushes}) == 3
    assert len(subject.groups()[0].alerts) == 1
    assert subject.next_due() == NOW + 90_000


async def test_what_hurries_stays_parked_where_it_is_anothers() -> None:
    """And is told at once by whoever has it."""
    subject, _, share = shared()
    subject.offer([alert(job="a")], NOW)
    subject.hurry([alert(job="a").labels], NOW + 1)
    assert await subject.flush_due(NOW + 1) == 0
    share.give(job("a"))
    assert await subject.flush_due(NOW + 1) == 1


async def test_a_reload_parks_groups_anew() -> None:
    """Groups of others have no clock to go on with; they are due, and parked again."""
    subject, stage, share = shared()
    subject.offer([alert(job="a")], NOW)
    assert await subject.flush_due(NOW + 30_000) == 0
    subject.reload(build_tree(ROUTE), [], NOW + 40_000)
    assert await subject.flush_due(NOW + 40_000) == 0
    share.give(job("a"))
    assert await subject.flush_due(NOW + 40_000) == 1
    assert len(stage.flushes) == 1


async def test_parked_groups_let_go_of_what_is_kept_no_more() -> None:
    """An alert stays while it fires or is kept; a group without alerts goes."""
    stage, kept = Stage(), [alert(job="a", n="1", ends_at=NOW + 1)]
    subject = Dispatcher(
        build_tree(ROUTE),
        stage,
        ManualClock(NOW),
        RoutingMetrics(CollectorRegistry()),
        share=SettableShare(),
        kept=lambda each: each in kept,
    )
    fires = alert(job="b")
    gone = alert(job="b", n="gone", ends_at=NOW + 1)
    subject.offer([*kept, fires, gone, alert(job="c", ends_at=NOW + 1)], NOW)
    subject.prune(NOW + 40_000)
    assert len(subject.groups()) == 3  # they are not due yet, so nobody knows whose they are
    await subject.flush_due(NOW + 40_000)
    subject.prune(NOW + 40_000)
    assert [group.alerts for group in subject.groups()] == [tuple(kept), (fires,)]
    kept.clear()
    subject.prune(NOW + 40_000)
    assert [group.alerts for group in subject.groups()] == [(fires,)]


async def test_what_is_grouped_is_recorded_by_its_owner() -> None:
    """Several replicas group the same alert, and one says so."""
    heard: list[Grouped] = []
    share = SettableShare([job("a")])
    metrics = RoutingMetrics(CollectorRegistry())
    subject = Dispatcher(
        build_tree(ROUTE), Stage(), ManualClock(NOW), metrics, record=heard.append, share=share
    )
    subject.offer([alert(job="a"), alert(job="b")], NOW)
    assert [said.alert.labels.value("job") for said in heard] == ["a"]


async def test_groups_are_looked_at_once_they_are_fresh() -> None:
    """What others wrote until then is told with the rest; without work nobody is asked."""
    clock, stage, asked = ManualClock(NOW), Stage(), 0

    async def fresh() -> None:
        nonlocal asked
        asked += 1
        subject.offer([alert(job="a", n="late")], clock.now())

    metrics = RoutingMetrics(CollectorRegistry())
    subject = Dispatcher(build_tree(ROUTE), stage, clock, metrics, fresh=fresh)
    loop = asyncio.create_task(subject.run())
    await clock.advance(5)
    assert asked == 0
    subject.offer([alert(job="a", n="1")], clock.now())
    await clock.advance(31)
    loop.cancel()
    assert asked == 1
    assert [a.labels.value("n") for a in stage.flushes[0].alerts] == ["1", "late"]
