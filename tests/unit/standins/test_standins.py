"""The stand-ins check what the real services document."""

from typing import Any

import httpx
import pytest

from controlplane.demo.standins import (
    Fault,
    PagerDutyStandIn,
    Received,
    SlackStandIn,
    WebhookStandIn,
    render_for_person,
)
from controlplane.demo.standins.received import Action

KEY = "0123456789abcdef0123456789abcdef"


def event(action: str = "trigger", **changes: Any) -> dict[str, Any]:
    """Return a whole event; a change to None takes a field away."""
    payload = {"summary": "s", "source": "x", "severity": "error"}
    whole = {
        "routing_key": KEY,
        "event_action": action,
        "dedup_key": "d",
        "payload": {**payload, **changes.pop("payload", {})},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


async def enqueue(server: PagerDutyStandIn, body: Any) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{server.url}/v2/enqueue", json=body)


async def test_pagerduty_keeps_incidents_by_dedup_key() -> None:
    """A second trigger joins the open incident; after a resolve it opens a new one."""
    async with PagerDutyStandIn() as server:
        for action in ("trigger", "trigger", "acknowledge", "resolve", "resolve", "trigger"):
            answer = await enqueue(server, event(action))
            assert (answer.status_code, answer.json()["dedup_key"]) == (202, "d")
        assert [(i.triggers, i.resolved) for i in server.incidents] == [(2, True), (1, False)]
        assert (server.dropped, server.opened("d"), len(server.open_incidents())) == (1, 2, 1)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (event(routing_key="short"), "routing_key"),
        (event(routing_key=None), "routing_key"),
        (event("explode"), "event_action"),
        (event(dedup_key="x" * 256), "dedup_key"),
        (event("resolve", dedup_key=None), "dedup_key"),
        (event(payload={"summary": ""}), "summary"),
        (event(payload={"summary": "x" * 1025}), "summary"),
        (event(payload={"source": None}), "source"),
        (event(payload={"severity": "page"}), "severity"),
        (event(payload={"timestamp": "yesterday"}), "timestamp"),
        (event(payload={"colour": "red"}), "colour"),
        (event(links=[{"text": "no address"}]), "href"),
        (event(images=[{"src": "http://x/y.png"}]), "https"),
        (event(client_url="ftp://x"), "client_url"),
        (event(severity="error"), "severity"),
        ("text", "not an object"),
    ],
)
async def test_pagerduty_refuses_what_it_documents(body: Any, problem: str) -> None:
    """A 400 with the list of everything that is wrong."""
    async with PagerDutyStandIn() as server:
        answer = await enqueue(server, body)
        assert answer.status_code == 400
        assert any(problem in error for error in answer.json()["errors"])
        assert server.received == []


async def test_pagerduty_refuses_large_events_and_unknown_keys() -> None:
    """512,000 bytes are the limit; a key that belongs to no service is invalid."""
    async with PagerDutyStandIn(routing_keys=frozenset({"f" * 32})) as server:
        large = event(payload={"custom_details": {"x": "y" * 512_000}})
        assert (await enqueue(server, large)).status_code == 413
        assert (await enqueue(server, event())).status_code == 400
        assert (await enqueue(server, event(routing_key="f" * 32))).status_code == 202


async def test_pagerduty_takes_change_events() -> None:
    """They have their own address, and no ruleset's key may be used."""
    change = {"routing_key": KEY, "payload": {"summary": "reloaded", "source": "x"}}
    async with PagerDutyStandIn() as server, httpx.AsyncClient() as client:
        url = f"{server.url}/v2/change/enqueue"
        assert (await client.post(url, json=change)).status_code == 202
        ruleset = {**change, "routing_key": f"R{KEY[1:]}"}
        assert (await client.post(url, json=ruleset)).status_code == 400
        assert len(server.changes) == 1


async def call(server: SlackStandIn, method: str, token: str = "", **body: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token or server.token}"}
    async with httpx.AsyncClient(headers=headers) as client:
        answer = await client.post(f"{server.url}/api/{method}", json=body)
        said: dict[str, Any] = answer.json()
        return said


async def test_slack_keeps_messages_and_threads() -> None:
    """Posted by channel name, updated by id and ts, replies in the thread."""
    async with SlackStandIn() as server:
        posted = await call(server, "chat.postMessage", channel="#alerts", text="one")
        where = {"channel": posted["channel"], "ts": posted["ts"]}
        assert (await call(server, "chat.update", **where, text="two"))["ok"]
        reply = {"channel": where["channel"], "thread_ts": where["ts"]}
        assert (await call(server, "chat.postMessage", **reply, text="three"))["ok"]
        (message,) = server.messages
        assert (message.body["text"], len(message.versions)) == ("two", 2)
        assert [r.body["text"] for r in message.replies] == ["three"]
        assert (await call(server, "auth.test"))["ok"]


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("chat.postMessage", {"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#alerts"}, "no_text"),
        ("chat.postMessage", {"channel": "#alerts", "text": "x" * 40_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "#alerts", "text": "x", "colour": "r"}, "colour"),
        (
            "chat.postMessage",
            {"channel": "#alerts", "text": "x", "thread_ts": "1600000000.000000"},
            "invalid_thread_ts",
        ),
        (
            "chat.postMessage",
            {"channel": "#alerts", "attachments": [{"text": "x", "color": "red"}]},
            "invalid_attachments",
        ),
        (
            "chat.postMessage",
            {"channel": "#alerts", "attachments": [{"text": "x"}] * 101},
            "too_many_attachments",
        ),
        (
            "chat.postMessage",
            {"channel": "#alerts", "blocks": [{"type": "divider"}] * 51},
            "invalid_blocks",
        ),
        (
            "chat.postMessage",
            {
                "channel": "#alerts",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_900}}]
                * 5,
            },
            "msg_blocks_too_long",
        ),
        (
            "chat.postMessage",
            {"channel": "#alerts", "blocks": [{"type": "header", "text": {"type": "mrkdwn"}}]},
            "invalid_blocks",
        ),
        (
            "chat.update",
            {"channel": "C0000ALERTS", "ts": "1600000000.000000", "text": "x"},
            "message_not_found",
        ),
        ("chat.update", {"channel": "#alerts", "ts": "1", "text": "x"}, "channel_not_found"),
        ("chat.unheard", {"channel": "#alerts"}, "unknown_method"),
    ],
)
async def test_slack_refuses_what_it_documents(
    method: str, body: dict[str, Any], error: str
) -> None:
    """`ok: false` with the documented code, and what is wrong beside it."""
    async with SlackStandIn() as server:
        answer = await call(server, method, **body)
        assert answer["ok"] is False
        assert error in f"{answer['error']}: {answer.get('response_metadata', '')}"


async def test_slack_wants_its_token() -> None:
    """Without one, and with a wrong one, nothing is done."""
    async with SlackStandIn() as server, httpx.AsyncClient() as client:
        bare = await client.post(server.app_url, json={"channel": "#alerts", "text": "x"})
        assert bare.json()["error"] == "not_authed"
        wrong = await call(server, "auth.test", token="xoxb-other")
        assert wrong["error"] == "invalid_auth"


async def test_slack_takes_forms_and_webhooks() -> None:
    """The Web API takes forms with JSON inside; webhooks answer in plain text."""
    async with SlackStandIn() as server, httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {server.token}"}
        form = {"channel": "alerts", "attachments": '[{"text": "x"}]'}
        answer = await client.post(server.app_url, data=form, headers=headers)
        assert answer.json()["ok"]
        broken = await client.post(
            server.app_url, data={**form, "attachments": "["}, headers=headers
        )
        assert broken.json()["error"] == "invalid_attachments_format"
        hook = await client.post(server.webhook_url, json={"text": "x"})
        assert (hook.status_code, hook.text) == (200, "ok")
        for body, status, text in (
            (b"{", 400, "invalid_payload"),
            (b"{}", 400, "no_text"),
            (b'{"text": "x", "channel": "#no"}', 404, "channel_not_found"),
        ):
            refused = await client.post(server.webhook_url, content=body)
            assert (refused.status_code, refused.text) == (status, text)


async def test_a_webhook_must_be_version_4() -> None:
    """Incomplete and unknown fields are refused when strict, taken when not."""
    async with (
        WebhookStandIn() as strict,
        WebhookStandIn(strict=False) as lax,
        httpx.AsyncClient() as client,
    ):
        answers = [
            await client.post(f"{server.url}/x", json={"version": "3", "more": 1})
            for server in (strict, lax)
        ]
    assert [answer.status_code for answer in answers] == [400, 200]
    assert {"'version' is not \"4\"", "'more' is not a documented field"} <= set(strict.refused)


async def test_faults_come_one_by_one_and_then_end() -> None:
    """Before or after obeying: what was taken stays taken though the answer was lost."""
    async with PagerDutyStandIn() as server:
        server.fail_next(Fault.rate_limited(7), Fault.reset(after=True), Fault.answer(500))
        answer = await enqueue(server, event())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        with pytest.raises(httpx.TransportError):
            await enqueue(server, event())
        assert len(server.incidents) == 1
        assert (await enqueue(server, event())).status_code == 500
        assert (await enqueue(server, event())).status_code == 202
        assert (server.requests, server.incidents[0].triggers) == (4, 2)


async def test_messages_are_shown_as_a_person_reads_them() -> None:
    """The hook gets each accepted message; rendering gives its plain lines."""
    shown: list[Received] = []
    async with PagerDutyStandIn(on_message=shown.append) as server:
        await enqueue(server, event(payload={"summary": "disk is full"}))
        await enqueue(server, event(event_action="resolve", payload={"summary": "disk is full"}))
    assert [render_for_person(each).splitlines()[:2] for each in shown] == [
        ["pagerduty · triggered · d", "ERROR: disk is full"],
        ["pagerduty · resolved · d", "RESOLVED: disk is full"],
    ]


def test_slack_markup_is_shown_in_plain_words() -> None:
    """Bold text and emoji are read as such, and each link stands below on its own line."""
    text = "*disk is full*\nSince noon · <http://x/run|runbook> · <http://x/q|query>\n"
    body = {"attachments": [{"title": "FIRING", "color": "danger", "text": text}]}
    message = Received("slack", Action.POSTED, "#ops", body)
    assert render_for_person(message).splitlines()[1:] == [
        "🟥 FIRING",
        "🟥 disk is full",
        "🟥 Since noon",
        "🟥   runbook: http://x/run",
        "🟥   query: http://x/q",
    ]
