"""PagerDuty: triggers, acknowledgements and resolves under one key, change events, limits."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.demo.standins import Fault, PagerDutyStandIn
from controlplane.errors import InvalidInput
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.model.share import WHOLE, Share
from controlplane.notify.changes import Change, Changes
from controlplane.notify.channels import Channels
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason, Told
from controlplane.notify.integrations.pagerduty.client import PagerDuty
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig, PagerdutyLink
from controlplane.notify.message import Content, Notification, Outcome
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.rendering import Templates
from controlplane.notify.silenced import Silenced, SilencedBy, quiet
from tests.support.alerting import EXTERNAL_URL
from tests.support.share import SettableShare

NOW = 1_700_000_000_000
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
ACKNOWLEDGED = Silenced("s1", "slack:ada", "on it", NOW + 7_200_000, acknowledges=True)
SILENCED = Silenced("s2", "bob", "deploy", NOW + 3_600_000)


def alert(name: str, *, ends_at: int = NOW + 1, **annotations: str) -> Alert:
    labels = Labels({"alertname": "Broken", "instance": name})
    notes = Labels({"summary": f"{name} is broken", **annotations})
    return Alert(labels, NOW - 90_000, ends_at, NOW, annotations=notes)


def notification(*alerts: Alert, reason: Reason = Reason.FIRST, **changes: Any) -> Notification:
    content = Content("{}:{}", Labels(), reason, alerts, NOW)
    return replace(Notification("ops", "pagerduty/0", "{}:{}", content), **changes)


def told(*alerts: Alert) -> Told:
    return Told(frozenset(each.fingerprint for each in alerts))


@asynccontextmanager
async def pagerduty(
    server: PagerDutyStandIn, silenced_by: SilencedBy = lambda _labels: (), **options: Any
) -> AsyncIterator[PagerDuty]:
    config = PagerdutyConfig(Secret(ROUTING_KEY), url=f"{server.url}/v2/enqueue", **options)
    templates = Templates(external_url=EXTERNAL_URL)
    client = httpx.AsyncClient(timeout=10.0)
    subject = PagerDuty("pagerduty/0", config, templates, client, silenced_by=silenced_by)
    yield subject
    await subject.close()


async def test_acknowledged_here_is_acknowledged_there_once() -> None:
    """By an event of its own, under the key of the trigger; a repeat does not say it again."""
    a = alert("a")
    silences: list[Silenced] = []
    async with PagerDutyStandIn() as server, pagerduty(server, lambda _l: silences) as subject:
        first = await subject.send(notification(a))
        assert not subject.is_news(quiet((a,), lambda _l: ()), first.external)
        silences.append(ACKNOWLEDGED)
        assert subject.is_news(quiet((a,), lambda _l: silences), first.external)
        news = notification(a, reason=Reason.SILENCED, delivered=told(a), external=first.external)
        second = await subject.send(news)
        assert not subject.is_news(quiet((a,), lambda _l: silences), second.external)
        again = notification(a, reason=Reason.REPEAT, delivered=told(a), external=second.external)
        third = await subject.send(again)
        (incident,) = server.incidents
        actions = [message.body["event_action"] for message in server.received]
        assert server.refused == []
    assert actions == ["trigger", "acknowledge", "trigger"]
    assert (incident.acknowledged, incident.triggers) == (True, 2)
    assert third.external == {"acknowledged": "yes"}


@pytest.mark.parametrize(
    ("silences", "acknowledged"),
    [
        ({"a": [ACKNOWLEDGED], "b": [ACKNOWLEDGED]}, True),
        ({"a": [ACKNOWLEDGED], "b": [SILENCED, ACKNOWLEDGED]}, True),
        ({"a": [ACKNOWLEDGED], "b": [SILENCED]}, False),
        ({"a": [ACKNOWLEDGED], "b": []}, False),
        ({"a": [SILENCED], "b": [SILENCED]}, False),
    ],
)
async def test_an_incident_is_acknowledged_when_all_of_its_alerts_are(
    silences: dict[str, Sequence[Silenced]], acknowledged: bool
) -> None:
    """One that nobody took on keeps it open; a plain silence is no acknowledgement."""

    def by(labels: Labels) -> Sequence[Silenced]:
        return silences[labels.value("instance")]

    async with PagerDutyStandIn() as server, pagerduty(server, by) as subject:
        await subject.send(notification(alert("a"), alert("b")))
        (incident,) = server.incidents
    assert incident.acknowledged is acknowledged


async def test_an_end_is_told_whoever_acknowledged_it() -> None:
    """A resolve, and nothing besides."""
    a = alert("a")
    async with PagerDutyStandIn() as server, pagerduty(server, lambda _l: [ACKNOWLEDGED]) as it:
        first = await it.send(notification(a))
        over = replace(a, ends_at=NOW)
        ended = notification(
            over, reason=Reason.ALL_RESOLVED, delivered=told(a), external=first.external
        )
        last = await it.send(ended)
        assert server.open_incidents() == []
        assert [m.body["event_action"] for m in server.received][-1] == "resolve"
    assert last.external == {}


async def test_an_acknowledgement_that_fails_is_no_clear_no_to_the_trigger_before_it() -> None:
    """The trigger arrived: whoever decides on a resolve must know."""
    async with PagerDutyStandIn() as server, pagerduty(server, lambda _l: [ACKNOWLEDGED]) as it:
        faults = iter([None, Fault.answer(400)])
        server.fail_by(lambda: next(faults))
        with pytest.raises(DeliveryError) as caught:
            await it.send(notification(alert("a")))
        assert len(server.open_incidents()) == 1
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_an_acknowledgement_alone_that_is_refused_is_refused() -> None:
    """Nothing went before it in this attempt."""
    a = alert("a")
    async with PagerDutyStandIn() as server, pagerduty(server, lambda _l: [ACKNOWLEDGED]) as it:
        server.fail_next(Fault.rate_limited(7))
        with pytest.raises(DeliveryError) as caught:
            await it.send(notification(a, reason=Reason.SILENCED, delivered=told(a)))
    assert (caught.value.outcome, caught.value.retry_after) == (Outcome.REFUSED, 7.0)


async def test_a_key_is_never_longer_than_pagerduty_takes() -> None:
    """A long group key becomes a digest, the same for trigger and resolve."""
    key = "{}:{" + "x" * 5_000 + "}"
    a = alert("a")
    async with PagerDutyStandIn() as server, pagerduty(server) as subject:
        await subject.send(notification(a, key=key))
        over = replace(a, ends_at=NOW)
        await subject.send(notification(over, reason=Reason.ALL_RESOLVED, key=key))
        (incident,) = server.incidents
        assert server.refused == []
    assert incident.resolved
    assert len(incident.dedup_key) == 64


async def test_an_event_that_is_too_large_loses_its_details_and_says_so() -> None:
    """512 KB is what PagerDuty takes; what remains still says how many fire."""
    many = [alert(f"host-{n}", description="ü" * 400) for n in range(1_000)]
    async with PagerDutyStandIn() as server, pagerduty(server) as subject:
        delivery = await subject.send(notification(*many))
        assert server.refused == []
        body = server.received[0].body
    details = body["payload"]["custom_details"]
    assert details["error"].startswith("the details were left out: the event had ")
    assert (details["num_firing"], details["num_resolved"]) == ("1000", "0")
    assert delivery.cut == 1
    assert {"story", "silence"} <= {link["text"] for link in body["links"]}


async def test_links_that_are_too_large_go_too() -> None:
    """Rather an incident without links than none."""
    links = tuple(PagerdutyLink(f"http://x/{'y' * 2_900}", "t" * 900) for _ in range(200))
    async with PagerDutyStandIn() as server, pagerduty(server, links=links) as subject:
        delivery = await subject.send(notification(alert("a")))
        assert (server.refused, server.received[0].body["links"]) == ([], [])
    assert delivery.cut == 201


async def test_texts_are_cut_to_what_pagerduty_takes() -> None:
    """The summary and every name beside it."""
    long = "x" * 3_000
    texts: dict[str, Any] = dict.fromkeys(
        ("description", "source", "component", "group", "class_", "client"), long
    )
    async with PagerDutyStandIn() as server, pagerduty(server, **texts) as subject:
        await subject.send(notification(alert("a")))
        assert server.refused == []
        payload = server.received[0].body["payload"]
    assert {len(payload[name]) for name in ("summary", "source", "component", "group")} == {1_024}


def changes_of(subject: PagerDuty, registry: CollectorRegistry, share: Share = WHOLE) -> Changes:
    channels = Channels({"ops": [subject]})
    return Changes(channels, SystemClock(), metrics=NotifyMetrics(registry), share=share)


CHANGE = Change("controlplane: configuration reloaded (route)", NOW, {"sections": "route"}, "d1")


async def test_a_change_is_told_to_those_who_ask_for_it() -> None:
    """As a change event, which opens no incident."""
    async with (
        PagerDutyStandIn() as server,
        pagerduty(server, change_events=True) as asks,
        pagerduty(server) as asks_not,
    ):
        await changes_of(asks, CollectorRegistry()).tell(CHANGE)
        await changes_of(asks_not, CollectorRegistry()).tell(CHANGE)
        (event,) = server.changes
        assert (server.incidents, server.refused) == ([], [])
    assert event["payload"]["summary"] == CHANGE.summary
    assert event["payload"]["custom_details"] == {"sections": "route"}
    assert event["payload"]["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert event["links"][0]["href"] == EXTERNAL_URL


async def test_a_change_that_all_replicas_make_is_told_by_one() -> None:
    """Each reloads the same file; the one whose share it is says so."""
    async with PagerDutyStandIn() as server, pagerduty(server, change_events=True) as subject:
        shares = (SettableShare(["change/d1"]), SettableShare(["change/d2"]))
        replicas = [changes_of(subject, CollectorRegistry(), share) for share in shares]
        loops = [asyncio.create_task(each.run()) for each in replicas]
        for each in replicas:
            each.announce(CHANGE)
            each.announce(replace(CHANGE, id="d2", summary="another"))
        await server.wait_for(lambda: len(server.changes) == 2)
        await SystemClock().sleep(0.1)  # a third one would be there by then
        for loop in loops:
            loop.cancel()
        told = sorted(event["payload"]["summary"] for event in server.changes)
    assert told == ["another", CHANGE.summary]


async def test_a_change_is_insisted_on_and_then_given_up() -> None:
    """A failure that may pass is tried again; a clear no is not."""
    registry = CollectorRegistry()

    def counted(outcome: str) -> float | None:
        labels = {"receiver": "ops", "integration": "pagerduty/0", "outcome": outcome}
        return registry.get_sample_value("controlplane_change_events_total", labels)

    async with PagerDutyStandIn() as server, pagerduty(server, change_events=True) as subject:
        changes = changes_of(subject, registry)
        server.fail_next(Fault.answer(500))
        await changes.tell(CHANGE)
        assert (len(server.changes), counted("failed"), counted("delivered")) == (1, 1.0, 1.0)
        server.fail_next(Fault.answer(400))
        await changes.tell(CHANGE)
        assert (len(server.changes), counted("failed")) == (1, 2.0)


def test_change_events_need_an_address_beside_which_theirs_stands() -> None:
    """A proxy at another path would be guessed at."""
    with pytest.raises(InvalidInput, match="/v2/enqueue"):
        PagerdutyConfig(Secret(ROUTING_KEY), url="http://proxy/pagerduty", change_events=True)
    other = PagerdutyConfig(Secret(ROUTING_KEY), url="http://proxy/pd/v2/enqueue")
    assert other.change_url == "http://proxy/pd/v2/change/enqueue"


async def test_no_error_repeats_the_routing_key() -> None:
    """Whatever PagerDuty finds wrong with it."""
    async with PagerDutyStandIn(routing_keys=frozenset()) as server, pagerduty(server) as subject:
        with pytest.raises(DeliveryError) as caught:
            await subject.send(notification(alert("a")))
    assert ROUTING_KEY not in json.dumps([caught.value.detail, str(caught.value)])
    assert not caught.value.temporary
