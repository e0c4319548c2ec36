"""Slack with buttons: one message a group, who took it on, what got worse, a picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp

from controlplane.demo.standins import Fault, SlackStandIn
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.incident import Reason, Told
from controlplane.notify.integrations.slack.bot import SlackBot
from controlplane.notify.integrations.slack.options import SlackAction, SlackConfig, SlackField
from controlplane.notify.integrations.slack.web_api import WebAPI
from controlplane.notify.message import Content, Delivery, Notification
from controlplane.notify.picture import Graph, Picture, no_picture
from controlplane.notify.rendering import Templates
from controlplane.notify.silenced import Silenced, SilencedBy, quiet
from tests.support.alerting import EXTERNAL_URL

NOW = 1_700_000_000_000
_ACK = Silenced("s1", "slack:ada", "acknowledged in Slack", NOW + 7_200_000, acknowledges=True)
_TEN = Silenced("s2", "<bob>", "deploy & pray", NOW + 3_600_000)


def alert(name: str, *, ends_at: int = NOW + 1, severity: str = "warning") -> Alert:
    labels = Labels({"alertname": "Broken", "instance": name, "severity": severity})
    notes = Labels({"summary": f"{name} is broken"})
    return Alert(labels, NOW - 7_500_000, ends_at, NOW, annotations=notes)


def notification(*alerts: Alert, reason: Reason = Reason.FIRST, **changes: Any) -> Notification:
    content = Content("{}:{}", Labels(), reason, alerts, NOW)
    whole = Notification("ops", "slack/0", "{}:{}", content, incident_id="i" * 32)
    return replace(whole, **changes)


def after(last: Delivery, *told: Alert, **changes: Any) -> dict[str, Any]:
    """Return what the next message of an incident knows of the last one."""
    delivered = Told(frozenset(each.fingerprint for each in told))
    return {"external": last.external, "delivered": delivered, **changes}


@asynccontextmanager
async def bot(
    server: SlackStandIn,
    silenced_by: SilencedBy = lambda _labels: (),
    picture: Picture = no_picture,
    **options: Any,
) -> AsyncIterator[SlackBot]:
    config = SlackConfig(
        **{
            "send_resolved": True,
            "app_token": Secret(server.token),
            "app_url": server.app_url,
            "signing_secret": Secret(server.signing_secret),
            "channel": "#alerts",
            **options,
        }
    )
    assert config.app_token is not None
    templates = Templates(external_url=EXTERNAL_URL)
    api = WebAPI(
        config.http_config, aiohttp.TCPConnector, token=config.app_token, app_url=config.app_url
    )
    subject = SlackBot("slack/0", config, templates, api, silenced_by=silenced_by, picture=picture)
    yield subject
    await subject.close()


def texts(server: SlackStandIn) -> list[str]:
    """Return all that the first message shows, block by block; buttons by their ids."""
    found: list[str] = []
    for block in server.messages[0].body["attachments"][0]["blocks"]:
        if block["type"] == "actions":
            found.append(" ".join(element["action_id"] for element in block["elements"]))
        found += [block["text"]["text"]] if "text" in block else []
        found += [element["text"] for element in block.get("elements", ()) if "type" not in block]
        if block["type"] == "context":
            found += [element["text"] for element in block["elements"]]
    return found


async def test_a_message_says_how_it_stands_and_has_buttons() -> None:
    """State, counts and duration on top, the texts below, three buttons that name the incident."""
    async with SlackStandIn() as server, bot(server) as subject:
        await subject.send(notification(alert("a"), alert("b"), alert("c", ends_at=NOW)))
        shown = texts(server)
        assert server.refused == []
        attachment = server.messages[0].body["attachments"][0]
    assert shown[0] == ":red_circle: 2 firing, 1 resolved for 2h5m"
    assert "Broken" in shown[1]
    assert shown[-1] == "acknowledge silence_1h silence_4h"
    values = {each["value"] for each in attachment["blocks"][-1]["elements"]}
    assert values == {"i" * 32}
    assert attachment["color"] == "warning"


async def test_an_end_takes_the_buttons_away() -> None:
    """There is nothing left to acknowledge; the message says how long it was."""
    a = alert("a")
    async with SlackStandIn() as server, bot(server) as subject:
        first = await subject.send(notification(a))
        over = replace(a, ends_at=NOW - 60_000)
        await subject.send(notification(over, reason=Reason.ALL_RESOLVED, **after(first, a)))
        shown = texts(server)
        assert len(server.messages) == 1
    assert shown[0] == ":large_green_circle: 1 resolved after 2h4m"
    assert not any("acknowledge" in text for text in shown)


async def test_only_what_gets_worse_is_shown_in_the_channel() -> None:
    """More than were ever told of, or something more severe: else the thread alone has it."""
    a, b, c = alert("a"), alert("b"), alert("c")
    worst = alert("d", severity="critical")
    told: list[tuple[Alert, ...]] = [(a,), (a, b), (a,), (a, c), (a, c), (a, worst), (a, b, c)]
    async with SlackStandIn() as server, bot(server) as subject:
        last = Delivery()
        for place, alerts in enumerate(told):
            known = told[place - 1] if place else ()
            reason = Reason.NEW_ALERTS if place else Reason.FIRST
            last = await subject.send(notification(*alerts, reason=reason, **after(last, *known)))
        replies = server.messages[0].replies
        assert server.refused == []
    shown = [reply.body["reply_broadcast"] for reply in replies]
    assert shown == [True, False, False, False, True, True]


async def test_a_message_without_a_memory_compares_with_what_was_delivered() -> None:
    """One that was posted before messages kept their worst is not shown again for nothing."""
    a, b = alert("a"), alert("b")
    async with SlackStandIn() as server, bot(server) as subject:
        first = await subject.send(notification(a, b))
        place = {key: first.external[key] for key in ("channel", "ts")}
        again = after(Delivery(external={**place, "severity": "2"}), a, b)
        await subject.send(notification(a, b, reason=Reason.REPEAT, **again))
        (reply,) = server.messages[0].replies
    assert reply.body["reply_broadcast"] is False


async def test_who_took_it_on_is_shown_and_told_in_the_thread() -> None:
    """The acknowledgement first; names and comments are text, never markup."""
    a, b = alert("a"), alert("b")
    by = {a.labels: (_TEN, _ACK), b.labels: (_TEN,)}
    silences: dict[Labels, tuple[Silenced, ...]] = {}
    async with (
        SlackStandIn() as server,
        bot(server, lambda labels: silences.get(labels, ())) as subject,
    ):
        first = await subject.send(notification(a, b))
        assert not subject.is_news(quiet((a, b), lambda _labels: ()), first.external)
        silences |= by
        assert subject.is_news(quiet((a, b), silences.__getitem__), first.external)
        news = notification(a, b, reason=Reason.SILENCED, **after(first, a, b))
        second = await subject.send(news)
        assert not subject.is_news(quiet((a, b), silences.__getitem__), second.external)
        shown = texts(server)
        (reply,) = server.messages[0].replies
        assert server.refused == []
    acknowledged = ":eyes: Acknowledged by *slack:ada* (1 of 2) until it has ended"
    assert acknowledged in shown
    silenced = next(text for text in shown if text.startswith(":no_bell:"))
    assert "Silenced by *&lt;bob&gt;* until <!date^1700003600^" in silenced
    assert silenced.endswith("deploy &amp; pray")
    assert reply.body["text"] == f"{acknowledged}\n{silenced}"
    assert reply.body["reply_broadcast"] is False


async def test_a_silence_that_is_gone_is_gone_from_the_message() -> None:
    """And the thread says so."""
    a = alert("a")
    silences: list[Silenced] = [_ACK]
    async with SlackStandIn() as server, bot(server, lambda _labels: silences) as subject:
        first = await subject.send(notification(a))
        silences.clear()
        assert subject.is_news(quiet((a,), lambda _labels: ()), first.external)
        await subject.send(notification(a, reason=Reason.SILENCED, **after(first, a)))
        assert not any("slack:ada" in text for text in texts(server))
        (reply,) = server.messages[0].replies
    assert reply.body["text"] == ":bell: Silenced no more"


async def test_without_buttons_silences_are_no_news() -> None:
    """The message in Alertmanager's form has no place for them."""
    async with (
        SlackStandIn() as server,
        bot(server, signing_secret=None, update_message=True) as subject,
    ):
        first = await subject.send(notification(alert("a")))
        assert not subject.is_news(quiet((alert("a"),), lambda _labels: [_ACK]), first.external)
        assert "blocks" not in server.messages[0].body["attachments"][0]


async def test_a_thousand_alerts_and_long_texts_are_taken() -> None:
    """Every part is cut to Block Kit's limits, all together too."""
    many = [alert(f"host-{n}") for n in range(1_000)]
    everything = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}"
    silences = [replace(_TEN, id=f"s{n}", author="x" * 500, comment="y" * 900) for n in range(9)]
    options: dict[str, Any] = {
        "title": everything,
        "title_link": "http://controlplane.example/" + "x" * 1_400,
        "pretext": everything,
        "text": everything,
        "footer": everything,
        "image_url": "http://controlplane.example/graph.png",
        "fields": tuple(SlackField("t" * 3_000, "v" * 3_000) for _ in range(20)),
        "actions": tuple(
            SlackAction("button", f"b{n}" * 90, url=EXTERNAL_URL, style="danger") for n in range(9)
        ),
    }
    async with SlackStandIn() as server, bot(server, lambda _l: silences, **options) as subject:
        delivery = await subject.send(notification(*many))
        again = after(delivery, *many)
        await subject.send(notification(*many, reason=Reason.SILENCED, **again))
        shown = texts(server)
        assert server.refused == []
        blocks = server.messages[0].body["attachments"][0]["blocks"]
    assert shown[0] == ":red_circle: 1000 firing for 2h5m"
    assert "… and 6 more silences" in shown
    assert "… and 4 more actions" in shown
    assert len(blocks) <= 50
    assert max(len(text) for text in shown) <= 3_000
    assert delivery.cut == 11 + 4


async def test_the_default_texts_of_a_thousand_alerts_say_how_many_more() -> None:
    """Ten are listed; none of the others is lost in silence."""
    many = [alert(f"host-{n}") for n in range(1_000)]
    async with SlackStandIn() as server, bot(server) as subject:
        await subject.send(notification(*many))
        shown = "\n".join(texts(server))
        assert server.refused == []
    assert "and 990 more" in shown


async def test_a_picture_follows_into_the_thread() -> None:
    """Once, when the message is posted, with words for those who cannot see it."""
    a = alert("a")
    graph = Graph(b"\x89PNG\r\n\x1a\n" + b"x" * 100, 600, 200, "up of the last hour")

    async def drawn(_content: Content) -> Graph | None:
        return graph

    async with SlackStandIn() as server, bot(server, picture=drawn) as subject:
        first = await subject.send(notification(a))
        await subject.idle()
        await subject.send(notification(a, reason=Reason.REPEAT, **after(first, a)))
        await subject.idle()
        (file,) = server.files
        assert server.refused == []
    assert (file.content, file.alt) == (graph.png, graph.words)
    assert (file.channel, file.thread_ts) == (first.external["channel"], first.external["ts"])


async def test_a_picture_that_fails_takes_no_message_with_it() -> None:
    """The message was delivered before; nothing is tried again."""

    async def drawn(_content: Content) -> Graph | None:
        return Graph(b"png", 1, 1, "words")

    async with SlackStandIn() as server, bot(server, picture=drawn) as subject:
        delivery = await subject.send(notification(alert("a")))
        server.fail_always(Fault.answer(500))
        await subject.idle()
        assert (delivery.status_code, len(server.messages), server.files) == (200, 1, [])
