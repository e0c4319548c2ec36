"""Two replicas tell of the same alerts, by one PostgreSQL: once, whoever has which share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.model.alert import Alert
from controlplane.model.matcher_syntax import parse_matchers
from controlplane.model.secret import Secret
from controlplane.model.share import shard_of
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.message import Content, MessageState, Seat
from controlplane.notify.options import Receiver
from controlplane.notify.outbox import enqueue
from controlplane.routing.group import Group
from controlplane.routing.options import Route
from controlplane.storage.database import Database
from tests.support.alerting import QUICK, Alerting, alerting, firing, resolved
from tests.support.shards import ALL, EVEN, ODD, Part, Shards

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

ROUTE = Route(receiver="ops", group_by=("n",), group_wait=0, group_interval=50)
LEASE = replace(QUICK, lease=3_000)


class Pair:
    """Replicas `a` and `b`. All work is a's until it is moved."""

    def __init__(self, directory: Path, url: str, pagerduty: PagerDutyStandIn) -> None:
        self.directory = directory
        self.url = url
        self.pagerduty = pagerduty
        self.database = Database(url)
        self.shards = Shards(self.database)
        self.parts = (Part(), Part())
        self.stack = AsyncExitStack()
        self.a: Alerting
        self.b: Alerting

    async def start(self, route: Route = ROUTE, *, moves: bool = True) -> None:
        """Start both; without `moves` nothing happens in them but what a test does."""
        config = PagerdutyConfig(Secret("0" * 32), url=f"{self.pagerduty.url}/v2/enqueue")
        receivers = [Receiver("ops", pagerduty_configs=(config,))]
        self.stack.push_async_callback(self.database.close)
        found = [
            await self.stack.enter_async_context(
                alerting(
                    self.directory,
                    route,
                    receivers,
                    url=self.url,
                    share=part,
                    owner=f"{name}/1",
                    options=LEASE,
                    start=moves,
                )
            )
            for name, part in zip("ab", self.parts, strict=True)
        ]
        self.a, self.b = found
        await self.shards.move(ALL, self.parts[0])

    async def hand_over(self) -> None:
        """Have b go on with everything; a knows it."""
        await self.shards.move(ALL, self.parts[1], losers=self.parts[:1])

    async def take_over(self) -> None:
        """Have b go on with everything, while a believes that it is a's."""
        await self.shards.move(ALL, self.parts[1])

    async def quiet(self) -> None:
        """Return after the time in which something would have been told once more."""
        await self.a.clock.sleep(0.4)

    async def none_open(self) -> None:
        """Return when every incident has ended."""
        while await self.b.store.open_incidents():
            await self.b.clock.sleep(0.02)

    def actions(self) -> list[str]:
        return [event.action.value for event in self.pagerduty.received]


@pytest.fixture
async def pair(tmp_path: Path, database_url: str) -> AsyncIterator[Pair]:
    """Give two replicas that are not started yet."""
    async with PagerDutyStandIn() as pagerduty:
        both = Pair(tmp_path, database_url, pagerduty)
        async with both.stack:
            yield both


def group_of(system: Alerting) -> Group:
    """Return the only group that a replica knows."""
    (group,) = system.dispatcher.groups()
    return group


async def fenced(system: Alerting, decision: str) -> float:
    name, labels = "controlplane_notification_decisions_fenced_total", {"decision": decision}
    return system.registry.get_sample_value(name, labels) or 0.0


async def test_an_alert_is_told_by_its_owner_wherever_it_came_in(pair: Pair) -> None:
    """Posted to one replica, told by the other; handed over, its end is told by the first."""
    await pair.start()
    await pair.b.alerts.put([firing(pair.b.clock.now(), n="1")])
    await pair.pagerduty.wait_for(lambda: len(pair.pagerduty.open_incidents()) == 1)
    await pair.hand_over()
    await pair.quiet()
    assert [m.owner for m in await pair.a.store.about(_only(pair.a).fingerprint, 9)] == ["a/1"]
    await pair.a.alerts.put([resolved(_only(pair.a), pair.a.clock.now())])
    await pair.none_open()
    assert pair.actions() == ["triggered", "resolved"]
    told = await pair.b.store.about(_only(pair.a).fingerprint, 9)
    assert [m.owner for m in told] == ["b/1", "a/1"]


async def test_a_hand_over_within_group_wait(pair: Pair) -> None:
    """The group is told once, by the new owner, and no later than it would have been."""
    await pair.start(replace(ROUTE, group_wait=500))
    alert = firing(pair.a.clock.now(), n="1")
    await pair.a.alerts.put([alert])
    while not pair.b.dispatcher.groups():
        await pair.b.clock.sleep(0.01)
    await pair.hand_over()
    await pair.pagerduty.wait_for(lambda: bool(pair.pagerduty.incidents))
    assert pair.b.clock.now() >= alert.starts_at + 500
    await pair.quiet()
    assert pair.actions() == ["triggered"]
    assert [m.owner for m in await pair.b.store.about(alert.fingerprint, 9)] == ["b/1"]


async def test_killed_between_the_decision_and_the_answer(pair: Pair) -> None:
    """The lease runs out, and another replica sends it again under the same key."""
    await pair.start()
    pair.pagerduty.fail_next(Fault.hang(30, after=True))
    alert = firing(pair.a.clock.now(), n="1")
    await pair.a.alerts.put([alert])
    while not pair.pagerduty.incidents:
        await pair.a.clock.sleep(0.01)
    await pair.a.kill()
    await pair.take_over()
    await pair.pagerduty.wait_for(lambda: pair.pagerduty.incidents[0].triggers == 2)
    await pair.b.worker.idle()
    (message,) = await pair.b.store.about(alert.fingerprint, 9)
    assert (message.state, message.attempts, message.owner) == (MessageState.DELIVERED, 2, "b/1")
    assert message.exposed_before
    await pair.b.alerts.put([resolved(alert, pair.b.clock.now())])
    await pair.none_open()
    assert len(pair.pagerduty.incidents) == 1


async def test_killed_before_the_decision(pair: Pair) -> None:
    """What waited in the dead replica's groups is told by the one that takes over."""
    await pair.start(replace(ROUTE, group_wait=300))
    alert = firing(pair.a.clock.now(), n="1")
    await pair.a.alerts.put([alert])
    await pair.a.kill()
    await pair.take_over()
    await pair.pagerduty.wait_for(lambda: bool(pair.pagerduty.open_incidents()))
    await pair.b.alerts.put([resolved(alert, pair.b.clock.now())])
    await pair.none_open()
    assert pair.actions() == ["triggered", "resolved"]


async def test_a_paused_owner_decides_too_late(pair: Pair) -> None:
    """Its flush is refused by the database and dropped; what it still owns goes through."""
    await pair.start(moves=False)
    now = pair.a.clock.now()
    alerts = [firing(now, n=str(number)) for number in range(8)]
    await pair.a.alerts.put(alerts)
    await pair.b.alerts.refresh()
    groups = {group.identity: group for group in pair.a.dispatcher.groups()}
    assert len({shard_of(group.work) % 2 for group in groups.values()}) == 2
    flushes = [g.look(now, pair.parts[0].fence((g.work,))) for g in groups.values()]
    await pair.shards.move(EVEN, pair.parts[1])
    await pair.a.pipeline(flushes)
    kept = {(i.receiver, i.group_key) for i in await pair.a.store.open_incidents()}
    assert kept == {name for name, g in groups.items() if shard_of(g.work) in ODD}
    assert await fenced(pair.a, "flush") == len(groups) - len(kept)
    await pair.b.dispatcher.flush_due(pair.b.clock.now())
    assert len(await pair.a.store.open_incidents()) == len(groups)
    assert await fenced(pair.b, "flush") == 0


async def test_an_end_is_not_undone_by_who_has_not_heard_of_it(pair: Pair) -> None:
    """Taken over a moment after the end was told, the alert still fires here: nobody is told."""
    await pair.start(moves=False)
    alert = firing(pair.a.clock.now(), n="1")
    await pair.a.alerts.put([alert])
    await pair.b.alerts.refresh()
    await pair.a.dispatcher.flush_due(pair.a.clock.now())
    await pair.a.alerts.put([resolved(alert, pair.a.clock.now())])
    await pair.a.dispatcher.flush_due(pair.a.clock.now() + 100)
    assert await pair.a.store.open_incidents() == []  # nothing was sent, and all is over
    await pair.hand_over()
    assert group_of(pair.b).look(pair.b.clock.now()).resolved() == ()
    await pair.b.dispatcher.flush_due(pair.b.clock.now())
    assert await pair.b.store.open_incidents() == []


async def test_what_fires_again_is_not_ended_by_who_has_not_heard_of_it(pair: Pair) -> None:
    """Neither by its group, in which it has ended, nor by the sweep, without any group."""
    await pair.start(moves=False)
    now = pair.a.clock.now()
    alert = firing(now, n="1")
    await pair.b.alerts.put([resolved(alert, now)])
    await pair.a.alerts.refresh()
    await pair.a.alerts.put([replace(alert, starts_at=now + 1, updated_at=now + 1)])
    await pair.a.dispatcher.flush_due(pair.a.clock.now())
    (incident,) = await pair.a.store.open_incidents()
    await pair.hand_over()
    assert group_of(pair.b).look(pair.b.clock.now()).resolved()
    await pair.b.dispatcher.flush_due(pair.b.clock.now())
    assert await pair.b.store.open_incidents() == [incident]
    assert pair.b.dispatcher.groups() == ()
    assert not await pair.b.sweeper.sweep(pair.b.clock.now())
    assert await pair.b.store.open_incidents() == [incident]


async def test_orphans_are_swept_by_their_owner(pair: Pair) -> None:
    """The other one leaves them alone, and one that was paused is refused."""
    await pair.start(moves=False)
    now = pair.a.clock.now()
    labels = parse_matchers('n="1"')[0]
    group = firing(now, n="1").labels.keep(frozenset({labels.name}))
    gone = Told(frozenset({"0" * 16}))
    orphan = Incident("1", "ops", "pagerduty/0", "gone", group, "gone", now, delivered=gone)
    async with pair.a.store.begin() as tx:
        await tx.put_incident(replace(orphan, exposed=True))
    assert await pair.b.sweeper.sweep(now) == 0
    await pair.take_over()
    assert await pair.a.sweeper.sweep(now) == 0
    assert await fenced(pair.a, "sweep") == 1
    assert await pair.b.sweeper.sweep(now) == 1


async def test_all_send_what_any_has_queued_each_message_once(pair: Pair) -> None:
    """Whose incident it is says nothing of who sends; order within it holds."""
    await pair.start()
    now = pair.a.clock.now()
    alerts = [firing(now, n=str(number)) for number in range(12)]
    for place, alert in enumerate(alerts):
        await _queue(pair.a, alert, f"i{place}")
    pair.a.worker.wake()
    pair.b.worker.wake()
    await pair.pagerduty.wait_for(lambda: len(pair.pagerduty.received) == len(alerts))
    await pair.quiet()
    assert sorted(i.triggers for i in pair.pagerduty.incidents) == [1] * len(alerts)


async def test_an_attempt_whose_lease_ran_out_changes_nothing(pair: Pair) -> None:
    """A worker that was paused comes back to a message that another one has delivered."""
    await pair.start(moves=False)
    alert = firing(pair.a.clock.now(), n="1")
    await pair.a.alerts.put([alert])
    await _queue(pair.a, alert, "i1", seat=Seat("a/1", pair.a.clock.now()))
    slow = (await pair.a.store.about(alert.fingerprint, 9))[0]
    async with pair.b.store.begin() as tx:
        ((_, incident),) = await tx.claimable(slow.channel, pair.b.clock.now() + 1, 9)
        theirs = slow.begun(Seat("b/1", pair.b.clock.now() + 9_000), exposed=incident.exposed)
        assert await tx.claim(slow, theirs)
    late = replace(slow, state=MessageState.DEAD, finished_at=1)
    async with pair.a.store.begin() as tx:
        assert not await tx.claim(slow, late)
        assert await tx.message(slow.id) == theirs
    assert theirs.exposed_before


async def _queue(system: Alerting, alert: Alert, name: str, seat: Seat | None = None) -> None:
    """Queue a message about an alert in an incident of its own."""
    now = system.clock.now()
    group = alert.labels.keep(frozenset({"n"}))
    incident = Incident(name, "ops", "pagerduty/0", name, group, name, now)
    told = Told(frozenset({alert.fingerprint}))
    content = Content(name, group, Reason.FIRST, (alert,), now)
    async with system.store.begin() as tx:
        await tx.put_incident(incident)
        await enqueue(tx, incident, told, content, max_age=99_999, now=now, seat=seat)


def _only(system: Alerting) -> Alert:
    (alert,) = system.alerts.list()
    return alert
