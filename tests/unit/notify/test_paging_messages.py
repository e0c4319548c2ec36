"""What Opsgenie, VictorOps, Pushover and Telegram are sent, and what they say themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from controlplane.notify.integrations.opsgenie.options import OpsgenieResponder
from controlplane.notify.integrations.telegram.render import truncate_html
from controlplane.notify.message import Outcome
from controlplane.settings.secret_files import FileSecret
from tests.support.recorder import Request
from tests.unit.notify.paging import ALIAS, FIRING, KEY, RESOLVED, says, send


async def test_opsgenie_closes_the_alert_that_it_opened() -> None:
    """The alias is the incident's key, in the alert and in the address of its end."""
    sent = await send("opsgenie", FIRING, RESOLVED)
    opened, closed = sent.requests
    assert (opened.method, opened.path, opened.body["alias"]) == ("POST", "/v2/alerts", ALIAS)
    assert (closed.method, closed.path) == ("POST", f"/v2/alerts/{ALIAS}/close")
    assert closed.query == {"identifierType": "alias"}
    assert opened.headers["Authorization"] == f"GenieKey {KEY}"
    assert list(closed.body) == ["source"]


async def test_opsgenie_s_texts_are_cut_to_what_it_takes() -> None:
    """A message has 130 characters; what says nothing is left out."""
    [body] = (await send("opsgenie", message="é" * 131, description="", tags=" , ")).bodies
    assert body["message"] == "é" * 129 + "…"
    assert set(body) == {"alias", "message", "details", "source"}


async def test_opsgenie_calls_those_whom_templates_name() -> None:
    """Teams are taken apart; an entry whose templates come to nothing calls nobody."""
    nobody = OpsgenieResponder("{{ .CommonLabels.x }}", name="{{ .CommonLabels.x }}")
    teams = OpsgenieResponder("Teams", name="{{ .CommonLabels.alertname }},b,")
    [body] = (await send("opsgenie", responders=(nobody, teams))).bodies
    assert body["responders"] == [
        {"name": "Down", "type": "team"},
        {"name": "b", "type": "team"},
    ]


async def test_opsgenie_s_texts_are_brought_up_to_date() -> None:
    """With `update_alerts` each notification also writes message and description."""
    sent = await send("opsgenie", update_alerts=True, message="m", description="d")
    assert [(request.method, request.path) for request in sent.requests] == [
        ("POST", "/v2/alerts"),
        ("PUT", f"/v2/alerts/{ALIAS}/message"),
        ("PUT", f"/v2/alerts/{ALIAS}/description"),
    ]
    assert sent.bodies[1:] == [{"message": "m"}, {"description": "d"}]


async def test_opsgenie_s_texts_are_not_written_where_there_is_no_alert() -> None:
    """A failure ends the attempt: the next one begins with the alert."""
    sent = await send("opsgenie", update_alerts=True, answers=says(500))
    assert len(sent.requests) == 1


async def test_an_alert_that_was_opened_is_not_taken_for_refused() -> None:
    """Where only its texts could not be written, its end has to be told."""

    def picky(request: Request) -> web.Response:
        return web.Response(status=202 if request.method == "POST" else 422)

    error = (await send("opsgenie", update_alerts=True, answers=picky)).failure
    assert (error.outcome, error.temporary, error.status_code) == (Outcome.UNKNOWN, False, 422)


async def test_victorops_hears_of_one_entity() -> None:
    """Trigger and recovery have the same entity; the address holds key and routing key."""
    sent = await send("victorops", FIRING, RESOLVED, routing_key="a {{ .CommonLabels.instance }}")
    opened, closed = sent.bodies
    assert (opened["message_type"], closed["message_type"]) == ("CRITICAL", "RECOVERY")
    assert opened["entity_id"] == closed["entity_id"] == ALIAS
    assert {request.path for request in sent.requests} == {f"/{KEY}/a db1"}


@pytest.mark.parametrize(
    ("wanted", "sent_as"), [("WARNING", "WARNING"), ("INFO", "INFO"), ("warning", "CRITICAL")]
)
async def test_victorops_knows_three_types(wanted: str, sent_as: str) -> None:
    """What is none of them is critical."""
    [body] = (await send("victorops", message_type=wanted)).bodies
    assert body["message_type"] == sent_as


async def test_victorops_texts_are_cut_to_what_it_takes() -> None:
    """The state message has 20480 characters; own fields stand beside the others."""
    keys: dict[str, Any] = {
        "state_message": "x" * 20_481,
        "custom_fields": {"who": "{{ .Receiver }}"},
    }
    [body] = (await send("victorops", **keys)).bodies
    assert body["state_message"] == "x" * 20_479 + "…"
    assert body["who"] == "ops"


async def test_pushover_is_told_in_the_body() -> None:
    """No key is in the address, which every proxy on the way could keep."""
    [request] = (await send("pushover")).requests
    assert (request.path, dict(request.query)) == ("/1/messages.json", {})
    assert (request.body["token"], request.body["user"]) == (KEY, "user-4711")
    assert (request.body["priority"], request.body["retry"], request.body["expire"]) == (
        "2",
        "60",
        "3600",
    )
    [request] = (await send("pushover", RESOLVED)).requests
    assert request.body["priority"] == "0"


async def test_pushover_s_texts_are_cut_to_what_it_takes() -> None:
    """250 characters of title, 1024 of message, 512 of URL; an empty message is none."""
    keys: dict[str, Any] = {
        "title": "t" * 251,
        "message": " m" * 1_000,
        "url": "u" * 513,
        "ttl": 90_500,
    }
    [body] = (await send("pushover", **keys)).bodies
    assert body["title"] == "t" * 249 + "…"
    assert body["message"] == (" m" * 512)[1:1_023] + "…"
    assert (body["url"], body["ttl"]) == ("u" * 511 + "…", "90")
    [body] = (await send("pushover", message=" \n")).bodies
    assert (body["message"], "ttl" in body) == ("(no details)", False)


async def test_pushover_shows_text_as_it_is_wanted() -> None:
    """In HTML values are escaped; else they are not."""
    shown = "<i>{{ .CommonAnnotations.summary }}</i>"
    [html] = (await send("pushover", message=shown, html=True)).bodies
    [mono] = (await send("pushover", message=shown, monospace=True)).bodies
    assert (html["html"], html["message"]) == ("1", "<i>shop &lt;b&gt;is&lt;/b&gt; down</i>")
    assert (mono["monospace"], mono["message"]) == ("1", "<i>shop <b>is</b> down</i>")


async def test_pushover_s_complaints_are_told() -> None:
    """Its errors are read from the answer."""
    answer = says(400, json.dumps({"errors": ["user is invalid", "and more"], "status": 0}))
    assert (await send("pushover", answers=answer)).failure.detail == (
        "unexpected status code 400: user is invalid; and more"
    )


async def test_telegram_is_told_what_the_bot_api_asks_for() -> None:
    """The token is in the address; values are escaped for HTML, and only there."""
    text = "{{ .CommonAnnotations.summary }}"
    [html] = (await send("telegram", message=text)).requests
    assert html.path == f"/bot{KEY}/sendMessage"
    assert html.body == {
        "chat_id": "-100",
        "text": "shop &lt;b&gt;is&lt;/b&gt; down",
        "parse_mode": "HTML",
        "disable_web_page_preview": "true",
    }
    keys: dict[str, Any] = {"parse_mode": "", "disable_notifications": True, "message_thread_id": 7}
    [plain] = (await send("telegram", message=text, **keys)).bodies
    assert plain == {
        "chat_id": "-100",
        "text": "shop <b>is</b> down",
        "disable_notification": "true",
        "disable_web_page_preview": "true",
        "message_thread_id": "7",
    }


async def test_telegram_says_in_the_body_when_to_come_back() -> None:
    """`retry_after` of the answer is used where there is no header."""
    told = {"ok": False, "description": "Too Many", "parameters": {"retry_after": 31}}
    error = (await send("telegram", answers=says(429, json.dumps(told)))).failure
    assert (error.retry_after, error.temporary) == (31.0, True)
    assert error.detail == "unexpected status code 429: Too Many"


@pytest.mark.parametrize("body", ["<html>", "[]", '{"ok": false}', '{"parameters": 7}'])
async def test_an_answer_that_is_not_telegram_s_may_hide_a_message(body: str) -> None:
    """Something on the way answered in its place: whether the message came is unknown."""
    error = (await send("telegram", answers=says(200, body))).failure
    assert (error.temporary, error.outcome) == (True, Outcome.UNKNOWN)


async def test_the_chat_may_stand_in_a_file(tmp_path: Path) -> None:
    """It is read at each use; what is no number is refused for good."""
    file = tmp_path / "chat"
    file.write_text("-77\n")
    [body] = (await send("telegram", chat_id=0, chat_id_file=FileSecret(file))).bodies
    assert body["chat_id"] == "-77"
    file.write_text("@ops")
    error = (await send("telegram", chat_id=0, chat_id_file=FileSecret(file))).failure
    assert (error.temporary, error.detail) == (False, "the chat_id_file holds no whole number")


async def test_a_long_telegram_message_is_cut_and_stays_html() -> None:
    """Alertmanager would put a note in its place; ours says what there is room for."""
    long = "<b>{{ .CommonLabels.alertname }} <i>" + "&amp;" * 4_000 + "</i></b>"
    [body] = (await send("telegram", message=long)).bodies
    assert len(body["text"]) <= 4_096
    assert re.fullmatch(r"<b>Down <i>(&amp;){800,}…</i></b>", body["text"])
    [body] = (await send("telegram", message="x" * 5_000, parse_mode="Markdown")).bodies
    assert body["text"] == "x" * 4_095 + "…"


_TAGS = st.sampled_from(["<b>", "</b>", "<i>", "</i>", '<a href="x">', "</a>", "&lt;", "é", " < "])


def _well_formed(text: str) -> bool:
    """Tell whether tags are closed in order and none, nor an entity, is cut."""
    open_tags: list[str] = []
    for end, tag in re.findall(r"<(/?)([a-z]+)[^<>]*>", text):
        if not end:
            open_tags.append(tag)
        elif not open_tags or open_tags.pop() != tag:
            return False
    bare = re.sub(r"</?[a-z]+[^<>]*>|&lt;| < ?", "", text)
    return not open_tags and "&" not in bare and "<" not in bare


@given(st.lists(_TAGS, max_size=60).map("".join), st.integers(20, 80))
def test_html_that_is_cut_stays_well_formed(text: str, limit: int) -> None:
    """Whatever was well-formed is so when it is cut, and is not longer than allowed."""
    cut = truncate_html(text, limit)
    assert len(cut) <= max(limit, len(text) if len(text) <= limit else 0)
    assert not _well_formed(text) or _well_formed(cut)
