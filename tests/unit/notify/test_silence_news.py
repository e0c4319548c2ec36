"""Silences and acknowledgements from anywhere reach those who show them, through the outbox."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controlplane.app.silencing import Silencing
from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.channels import Channels
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.table import build_integrations
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import Receiver
from controlplane.notify.silence_news import SilenceNews
from controlplane.notify.silenced import Quiet, Silenced, quiet
from controlplane.routing.options import Route
from tests.support.alerting import QUICK, Alerting, alerting, firing

ROUTE = Route(receiver="ops", group_by=("alertname",), group_wait=0, group_interval=50)
KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class House:
    """The alerting half, PagerDuty, and the news of silences."""

    whole: Alerting
    pagerduty: PagerDutyStandIn
    news: SilenceNews

    async def fire(self, name: str) -> Alert:
        """Have an alert fire, and told."""
        alert = firing(self.whole.clock.now(), instance=name)
        before = len(self.pagerduty.received)
        await self.whole.alerts.put([alert])
        await self.pagerduty.wait_for(lambda: len(self.pagerduty.received) > before)
        await self.whole.worker.idle()
        return alert

    async def acknowledge(self, alert: Alert) -> None:
        await self.whole.silences.acknowledge(
            alert.labels,
            author="ada",
            comment="on it",
            until=self.whole.clock.now() + 3_600_000,
            by="ada",
        )

    async def look(self) -> int:
        """Look once; return how many were busy, everything being sent then."""
        busy = await self.news.look(self.whole.clock.now())
        depth = await self.whole.store.channels_due(self.whole.clock.now())
        if depth:
            await self.pagerduty.wait_for(lambda: self.actions()[-1] == "acknowledge")
        await self.whole.worker.idle()
        return busy

    def actions(self) -> list[str]:
        return [str(message.body["event_action"]) for message in self.pagerduty.received]


@asynccontextmanager
async def house(directory: Path, *, start: bool = True) -> AsyncIterator[House]:
    async with PagerDutyStandIn() as pagerduty:
        config = PagerdutyConfig(Secret(KEY), url=f"{pagerduty.url}/v2/enqueue")
        receivers = [Receiver("ops", pagerduty_configs=(config,))]
        async with alerting(directory, ROUTE, receivers, start=start) as whole:
            silenced_by = Silencing(whole.silences, whole.clock).silenced_by
            around = replace(whole.around, silenced_by=silenced_by)
            await whole.channels.reload(build_integrations(receivers, around))
            news = SilenceNews(
                whole.store,
                whole.channels,
                whole.clock,
                silenced_by=silenced_by,
                find_alert=whole.alerts.get,
                wake=whole.worker.wake,
                options=QUICK,
                metrics=NotifyMetrics(whole.registry.__class__()),
            )
            yield House(whole, pagerduty, news)


async def test_an_acknowledgement_is_told_once_and_changes_nothing_else(tmp_path: Path) -> None:
    """One more message of the incident; the end comes as ever."""
    async with house(tmp_path) as room:
        alert = await room.fire("a")
        assert (await room.look(), room.actions()) == (0, ["trigger"])
        await room.acknowledge(alert)
        await room.look()
        await room.look()
        assert room.actions() == ["trigger", "acknowledge"]
        (incident,) = await room.whole.store.open_incidents()
        assert incident.delivered is not None
        assert incident.delivered.firing == {alert.fingerprint}
        (last, *_) = await room.whole.store.about(alert.fingerprint, 1)
        assert last.content.reason is Reason.SILENCED
        now = room.whole.clock.now()
        await room.whole.alerts.put([replace(alert, ends_at=now, updated_at=now)])
        await room.pagerduty.wait_for(lambda: not room.pagerduty.open_incidents())
        await room.whole.worker.idle()
        assert await room.whole.store.open_incidents() == []
        assert room.pagerduty.refused == []


async def test_what_is_under_way_comes_first(tmp_path: Path) -> None:
    """An incident with a message in the outbox is looked at again: nothing is taken back."""
    async with house(tmp_path) as room:
        alert = await room.fire("a")
        room.pagerduty.fail_always(Fault.rate_limited(1))
        await room.whole.alerts.put([firing(room.whole.clock.now(), instance="b")])
        requests = room.pagerduty.requests
        await room.pagerduty.wait_for(lambda: room.pagerduty.requests > requests)
        await room.whole.worker.idle()
        await room.acknowledge(alert)
        await room.acknowledge(firing(room.whole.clock.now(), instance="b"))
        assert await room.news.look(room.whole.clock.now()) == 1
        room.pagerduty.heal()
        await room.pagerduty.wait_for(lambda: room.pagerduty.incidents[0].acknowledged)
        assert room.actions() == ["trigger", "trigger", "acknowledge"]


async def test_a_message_that_was_given_up_is_not_pushed_at_once(tmp_path: Path) -> None:
    """The incident waits out its back-off, as for every other message."""
    async with house(tmp_path) as room:
        alert = await room.fire("a")
        await room.acknowledge(alert)
        room.pagerduty.fail_next(Fault.answer(400))
        requests = room.pagerduty.requests
        await room.news.look(room.whole.clock.now())
        await room.pagerduty.wait_for(lambda: room.pagerduty.requests > requests)
        await room.whole.worker.idle()
        now = room.whole.clock.now()
        assert await room.news.look(now) == 0
        assert await room.whole.store.channels_due(now) == []
        later = now + 3_600_000
        await room.news.look(later)
        due = await room.whole.store.channels_due(later)
        # The group may have told of it by itself meanwhile.
        assert due == [("ops", "pagerduty/0")] or room.pagerduty.requests > requests + 1


async def test_the_loop_hears_of_silences_by_itself(tmp_path: Path) -> None:
    """Whoever sets them: it wakes up, and the worker with it."""
    async with house(tmp_path) as room:
        task = room.whole.tasks[0].get_loop().create_task(room.news.run())
        room.whole.tasks.append(task)
        room.whole.silences.subscribe(room.news.wake)
        alert = await room.fire("a")
        await room.acknowledge(alert)
        await room.pagerduty.wait_for(lambda: room.pagerduty.incidents[0].acknowledged, 20)


async def test_who_shows_no_silences_is_not_told_of_them(tmp_path: Path) -> None:
    """A webhook gets what Alertmanager would send, and no message for a silence."""
    async with house(tmp_path, start=False) as room:
        receivers = [Receiver("ops", webhook_configs=(WebhookConfig(Secret("http://x/")),))]
        channels = Channels(build_integrations(receivers, room.whole.around))
        found = channels.find(("ops", "webhook/0"))
        assert not hasattr(found, "is_news")
        await channels.close()


_A, _B = Labels({"alertname": "A"}), Labels({"alertname": "B"})
_ACK = Silenced("ack", "ada", "", 2, acknowledges=True)
_PLAIN = Silenced("plain", "bob", "", 1)


@pytest.mark.parametrize(
    ("of_a", "of_b", "wanted"),
    [
        ((), (), Quiet(2)),
        ((_ACK,), (), Quiet(2, ((_ACK, 1),))),
        ((_PLAIN,), (_PLAIN,), Quiet(2, ((_PLAIN, 2),), silenced=True)),
        (
            (_PLAIN, _ACK),
            (_ACK,),
            Quiet(2, ((_ACK, 2), (_PLAIN, 1)), acknowledged=True, silenced=True),
        ),
    ],
)
def test_how_much_of_a_group_is_silenced(
    of_a: tuple[Silenced, ...], of_b: tuple[Silenced, ...], wanted: Quiet
) -> None:
    """Acknowledgements first, then those that mute most."""
    by = {_A: of_a, _B: of_b}
    alerts = [replace(firing(0), labels=labels) for labels in (_A, _B)]
    found = quiet(alerts, by.__getitem__)
    assert found == wanted
    assert bool(found.digest) is bool(wanted.silences)


def test_nothing_that_fires_is_neither_silenced_nor_acknowledged() -> None:
    """An empty group is not "all of it"."""
    assert quiet((), lambda _labels: (_ACK,)) == Quiet(0)
