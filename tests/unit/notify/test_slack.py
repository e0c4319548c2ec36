"""Slack as a bot: one message a group, brought up to date, its history in the thread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from controlplane.demo.standins import Fault, SlackStandIn
from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason, Told
from controlplane.notify.integrations.slack.bot import SlackBot
from controlplane.notify.integrations.slack.options import SlackAction, SlackConfig, SlackField
from controlplane.notify.integrations.slack.web_api import WebAPI
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.picture import no_picture
from controlplane.notify.rendering import Templates
from tests.support.alerting import EXTERNAL_URL

NOW = 1_700_000_000_000


def alert(name: str, *, ends_at: int = NOW + 1, **annotations: str) -> Alert:
    labels = Labels({"alertname": "Broken", "instance": name})
    notes = Labels({"summary": f"{name} is broken", **annotations})
    return Alert(labels, NOW - 90_000, ends_at, NOW, annotations=notes)


def notification(*alerts: Alert, reason: Reason = Reason.FIRST, **changes: Any) -> Notification:
    content = Content("{}:{}", Labels(), reason, alerts, NOW)
    return replace(Notification("ops", "slack/0", "{}:{}", content), **changes)


@asynccontextmanager
async def bot(server: SlackStandIn, **options: Any) -> AsyncIterator[SlackBot]:
    config = SlackConfig(
        **{
            "send_resolved": True,
            "app_token": Secret(server.token),
            "app_url": server.app_url,
            "channel": "#alerts",
            "update_message": True,
            **options,
        }
    )
    assert config.app_token is not None
    templates = Templates(external_url=EXTERNAL_URL)
    api = WebAPI(
        config.http_config, aiohttp.TCPConnector, token=config.app_token, app_url=config.app_url
    )
    subject = SlackBot(
        "slack/0", config, templates, api, silenced_by=lambda _labels: (), picture=no_picture
    )
    yield subject
    await subject.close()


async def test_a_group_is_one_message_with_its_history_in_the_thread() -> None:
    """Posted once, then updated; the thread says what changed, and shows it when it is worse."""
    a, b = alert("a"), alert("b")
    async with SlackStandIn() as server, bot(server) as subject:
        first = await subject.send(notification(a))
        known = Told(frozenset({a.fingerprint}))
        worse = notification(
            a, b, reason=Reason.NEW_ALERTS, external=first.external, delivered=known
        )
        second = await subject.send(worse)
        ended = (replace(a, ends_at=NOW), replace(b, ends_at=NOW))
        both = Told(frozenset({a.fingerprint, b.fingerprint}))
        over = notification(
            *ended, reason=Reason.ALL_RESOLVED, external=second.external, delivered=both
        )
        await subject.send(over)
        (message,) = server.messages
        assert server.refused == []
    assert len(message.versions) == 3
    assert message.body["attachments"][0]["title"] == "RESOLVED: Broken (2 resolved)"
    assert message.body["attachments"][0]["color"] == "good"
    texts = [reply.body["text"] for reply in message.replies]
    assert texts[0] == ":rotating_light: b is broken"
    assert texts[1].count(":white_check_mark:") == 2
    assert [reply.body["reply_broadcast"] for reply in message.replies] == [True, False]


@pytest.mark.parametrize("error", ["cant_update_message", "edit_window_closed", "gone"])
async def test_a_message_that_cannot_be_changed_is_posted_anew(error: str) -> None:
    """The new one takes its place from then on."""
    async with SlackStandIn() as server, bot(server) as subject:
        first = await subject.send(notification(alert("a")))
        if error == "gone":
            server.delete(first.external["ts"])
        else:
            server.lock(first.external["ts"], error)
        second = await subject.send(notification(alert("a"), external=first.external))
        assert second.external["ts"] != first.external["ts"]
        assert server.messages[-1].ts == second.external["ts"]


@pytest.mark.parametrize(
    ("fault", "temporary", "outcome", "reason"),
    [
        (Fault.rate_limited(3), True, Outcome.REFUSED, FailureReason.RATE_LIMITED),
        (Fault.answer(500), True, Outcome.UNKNOWN, FailureReason.SERVER_ERROR),
        (Fault.answer(404), False, Outcome.REFUSED, FailureReason.CLIENT_ERROR),
        (Fault.reset(), True, Outcome.UNKNOWN, FailureReason.OTHER),
    ],
)
async def test_failures_are_told_apart(
    fault: Fault, temporary: bool, outcome: Outcome, reason: FailureReason
) -> None:
    """What may be tried again, what may have arrived, and what Slack asked for."""
    async with SlackStandIn() as server, bot(server) as subject:
        server.fail_next(fault)
        with pytest.raises(DeliveryError) as caught:
            await subject.send(notification(alert("a")))
    error = caught.value
    assert (error.temporary, error.outcome, error.reason) == (temporary, outcome, reason)
    assert error.retry_after == (3 if fault.retry_after else None)
    assert server.token not in error.detail


@pytest.mark.parametrize(
    ("options", "reason", "detail"),
    [
        ({"app_token": Secret("xoxb-wrong")}, FailureReason.AUTH_ERROR, "invalid_auth"),
        ({"channel": "#nowhere"}, FailureReason.CLIENT_ERROR, "channel_not_found"),
        ({"title": "{{ .Nonsense }}"}, FailureReason.CLIENT_ERROR, "template"),
    ],
)
async def test_what_never_works_is_permanent(
    options: dict[str, Any], reason: FailureReason, detail: str
) -> None:
    """A wrong token, channel or template is no reason to try again."""
    async with SlackStandIn() as server, bot(server, **options) as subject:
        with pytest.raises(DeliveryError, match=detail) as caught:
            await subject.send(notification(alert("a")))
    assert (caught.value.temporary, caught.value.reason) == (False, reason)


async def test_a_thousand_alerts_stay_within_slacks_limits() -> None:
    """Every text is cut to what Slack takes, and says how much is missing."""
    many = [alert(f"host-{n}", description="x" * 3_000) for n in range(1_000)]
    options = {
        "title": "{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}",
        "footer": "{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}",
        "fields": tuple(SlackField("t" * 3_000, "v" * 3_000) for _ in range(20)),
        "actions": tuple(
            SlackAction("button", f"b{n}", url=EXTERNAL_URL, style="danger") for n in range(9)
        ),
    }
    async with SlackStandIn() as server, bot(server, **options) as subject:
        await subject.send(notification(*many))
        attachment = server.messages[0].body["attachments"][0]
        assert server.refused == []
    assert len(attachment["text"]) == 8_000
    assert attachment["text"].endswith("…\n… and 4 more actions")
    assert (len(attachment["fields"]), len(attachment["actions"])) == (10, 5)


async def test_without_update_message_each_notification_is_a_message() -> None:
    """As Alertmanager's bot does by default."""
    async with SlackStandIn() as server, bot(server, update_message=False) as subject:
        first = await subject.send(notification(alert("a")))
        await subject.send(notification(alert("a"), external=first.external))
        assert len(server.messages) == 2


async def test_what_there_is_no_room_for_is_said_and_counted() -> None:
    """Ten fields and five buttons: the last field and line tell how many are missing."""
    fields = tuple(SlackField(f"t{n}", "v") for n in range(13))
    actions = tuple(SlackAction("button", f"b{n}", url="http://x") for n in range(7))
    async with (
        SlackStandIn() as slack,
        bot(slack, fields=fields, actions=actions, text="words" * 2_000) as subject,
    ):
        delivery = await subject.send(notification(alert("a")))
        assert slack.refused == []
        (attachment,) = slack.messages[0].body["attachments"]
    assert delivery.cut == 4 + 2
    assert [field["title"] for field in attachment["fields"]] == [f"t{n}" for n in range(9)] + ["…"]
    assert attachment["fields"][-1]["value"] == "and 4 more fields"
    assert len(attachment["actions"]) == 5
    assert attachment["text"].endswith("…\n… and 2 more actions")


async def test_ten_fields_and_five_buttons_fit() -> None:
    """At the limit nothing is cut, and nothing is said."""
    fields = tuple(SlackField(f"t{n}", "v") for n in range(10))
    actions = tuple(SlackAction("button", f"b{n}", url="http://x") for n in range(5))
    async with SlackStandIn() as slack, bot(slack, fields=fields, actions=actions) as subject:
        delivery = await subject.send(notification(alert("a")))
        (attachment,) = slack.messages[0].body["attachments"]
    assert delivery.cut == 0
    assert [field["title"] for field in attachment["fields"]] == [f"t{n}" for n in range(10)]
    assert "more" not in attachment["text"]
