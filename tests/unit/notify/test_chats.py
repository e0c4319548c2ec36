"""Messages to chats: what is sent, within which limits, and what a refusal becomes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controlplane.model.alert import Alert
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.integrations.mattermost.options import (
    MattermostAttachment,
    MattermostConfig,
    MattermostField,
    MattermostPriority,
    MattermostProps,
)
from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.integrations.rocketchat.options import (
    RocketchatAction,
    RocketchatConfig,
    RocketchatField,
)
from controlplane.notify.integrations.table import build_integrations
from controlplane.notify.integrations.webex.options import WebexConfig
from controlplane.notify.integrations.wechat.options import WechatConfig
from controlplane.notify.message import Content, FailureReason, Notification, Outcome
from controlplane.notify.options import Receiver
from controlplane.notify.ports import Integration
from controlplane.settings.secret_files import FileSecret
from controlplane.transport.options import Authorization, HTTPClientConfig
from tests.support.outbound import surroundings
from tests.support.recorder import Recorder, Request, fine, recorder

NOW = 1_700_000_000_000
HOOK = "/hooks/s3cr3t-hook"


def alert(name: str = "a", *, ends_at: int = NOW + 1, **labels: str) -> Alert:
    named = Labels({"alertname": "Broken", "instance": name, **labels})
    return Alert(named, NOW - 90_000, ends_at, NOW, annotations=Labels({"summary": "it broke"}))


def notification(*alerts: Alert, at: int = NOW) -> Notification:
    content = Content("{}:{}", Labels(), Reason.FIRST, alerts or (alert(),), at)
    return Notification("ops", "x/0", "{}:{}", content)


RESOLVED = notification(alert(ends_at=NOW - 1))


@asynccontextmanager
async def sender(**configs: Any) -> AsyncIterator[Integration]:
    """Build the one integration of a receiver as the program does."""
    async with surroundings() as around:
        [(_, [made])] = build_integrations([Receiver("ops", **configs)], around).items()
        yield made
        await made.close()


def discord(site: Recorder, **options: Any) -> dict[str, Any]:
    return {"discord_configs": (DiscordConfig(Secret(site.url + HOOK), **options),)}


def msteams(site: Recorder, **options: Any) -> dict[str, Any]:
    return {"msteams_configs": (MSTeamsConfig(Secret(site.url + HOOK), **options),)}


def msteamsv2(site: Recorder, **options: Any) -> dict[str, Any]:
    return {"msteamsv2_configs": (MSTeamsV2Config(Secret(site.url + HOOK), **options),)}


def webex(site: Recorder, **options: Any) -> dict[str, Any]:
    client = HTTPClientConfig(authorization=Authorization(credentials=Secret("s3cr3t-token")))
    config = WebexConfig("room", client, api_url=f"{site.url}/v1/messages", **options)
    return {"webex_configs": (config,)}


def rocketchat(site: Recorder, **options: Any) -> dict[str, Any]:
    config = RocketchatConfig(
        Secret("user"), Secret("s3cr3t-token"), api_url=f"{site.url}/", **options
    )
    return {"rocketchat_configs": (config,)}


def mattermost(site: Recorder, **options: Any) -> dict[str, Any]:
    return {"mattermost_configs": (MattermostConfig(Secret(site.url + HOOK), **options),)}


def wechat(site: Recorder, **options: Any) -> dict[str, Any]:
    config = WechatConfig("corp", Secret("s3cr3t"), api_url=f"{site.url}/cgi-bin/", **options)
    return {"wechat_configs": (config,)}


def rocket(_request: Request) -> web.Response:
    return web.json_response({"success": True})


def wecom(request: Request) -> web.Response:
    said = {"errcode": 0, "errmsg": "ok"}
    return web.json_response({**said, "access_token": "t"} if "gettoken" in request.path else said)


CHATS: dict[str, tuple[Callable[..., dict[str, Any]], Callable[[Request], web.Response]]] = {
    "discord": (discord, fine),
    "msteams": (msteams, fine),
    "msteamsv2": (msteamsv2, fine),
    "webex": (webex, fine),
    "rocketchat": (rocketchat, rocket),
    "mattermost": (mattermost, fine),
    "wechat": (wechat, wecom),
}


@pytest.mark.parametrize("kind", CHATS)
async def test_a_message_arrives_with_its_default_texts(kind: str) -> None:
    """Subject and alerts are told; the delivery has the service's status."""
    configs, says = CHATS[kind]
    async with recorder(says) as site, sender(**configs(site)) as made:
        delivery = await made.send(notification())
        told = str(site.requests[-1].body)
    assert delivery.status_code == 200
    assert "Broken" in told
    assert made.name == f"{kind}/0"


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize(
    ("status", "temporary", "outcome", "reason"),
    [
        (500, True, Outcome.UNKNOWN, FailureReason.SERVER_ERROR),
        (429, True, Outcome.REFUSED, FailureReason.RATE_LIMITED),
        (403, False, Outcome.REFUSED, FailureReason.AUTH_ERROR),
        (400, False, Outcome.REFUSED, FailureReason.CLIENT_ERROR),
    ],
)
async def test_refusals_are_told_apart_and_repeat_no_secret(
    kind: str, status: int, temporary: bool, outcome: Outcome, reason: FailureReason
) -> None:
    """A server's error may be tried again, a clear no is for good; WeChat's may come back."""
    configs, _ = CHATS[kind]

    def refuse(request: Request) -> web.Response:
        said = f"no: {request.path}?{request.headers.get('X-Auth-Token', '')}"
        return web.Response(status=status, text=said, headers={"Retry-After": "7"})

    async with recorder(refuse) as site, sender(**configs(site)) as made:
        with pytest.raises(DeliveryError) as caught:
            await made.send(notification())
    error = caught.value
    assert error.temporary == (temporary or kind == "wechat")
    assert (error.outcome, error.reason, error.status_code) == (outcome, reason, status)
    assert error.retry_after == 7.0
    assert "s3cr3t" not in f"{error} {error!r}"


@pytest.mark.parametrize("kind", ["discord", "msteams", "msteamsv2", "mattermost"])
async def test_a_webhook_in_a_file_is_read_at_each_message(kind: str, tmp_path: Path) -> None:
    """A file that is not there for a moment is a temporary failure; then it counts."""
    file = tmp_path / "hook"
    configs, says = CHATS[kind]
    async with recorder(says) as site:
        [(key, [config])] = configs(site).items()
        async with sender(**{key: (replace(config, webhook_url=FileSecret(file)),)}) as made:
            with pytest.raises(DeliveryError, match="webhook_url") as caught:
                await made.send(notification())
            file.write_text(f"{site.url}{HOOK}\n")
            await made.send(notification())
        assert [request.path for request in site.requests] == [HOOK]
    assert (caught.value.temporary, caught.value.outcome) == (True, Outcome.REFUSED)


async def test_discord_shows_an_embed_within_its_limits() -> None:
    """Title, description and content are cut by characters; the colour says how it stands."""
    options = {"title": "é" * 257, "message": "é" * 4_097, "content": "é" * 2_001}
    named = {"username": "watch", "avatar_url": "https://x.example/a.png"}
    async with recorder() as site, sender(**discord(site, **options, **named)) as made:
        await made.send(notification())
        await made.send(RESOLVED)
        first, second = (request.body for request in site.requests)
    (embed,) = first["embeds"]
    assert embed == {
        "title": "é" * 255 + "…",
        "description": "é" * 4_095 + "…",
        "color": 0x992D22,
    }
    assert first["content"] == "é" * 1_999 + "…"
    assert (first["username"], first["avatar_url"]) == ("watch", "https://x.example/a.png")
    assert second["embeds"][0]["color"] == 0x2ECC71


async def test_teams_connectors_get_a_message_card() -> None:
    """Title, summary and text are rendered; the colour says how it stands."""
    options = {"title": "{{ .Status }}", "summary": "s", "text": "{{ len .Alerts }}"}
    async with recorder() as site, sender(**msteams(site, **options)) as made:
        await made.send(notification())
        await made.send(RESOLVED)
        first, second = (request.body for request in site.requests)
    assert first == {
        "@context": "http://schema.org/extensions",
        "type": "MessageCard",
        "title": "firing",
        "summary": "s",
        "text": "1",
        "themeColor": "8C1A1A",
    }
    assert (second["title"], second["themeColor"]) == ("resolved", "2DC72D")


async def test_teams_workflows_get_an_adaptive_card() -> None:
    """The card has a coloured title over the text, as wide as there is room."""
    async with recorder() as site, sender(**msteamsv2(site, title="t", text="b")) as made:
        await made.send(notification())
        await made.send(RESOLVED)
        first, second = (request.body for request in site.requests)
    (attachment,) = first["attachments"]
    title, text = attachment["content"]["body"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (title["text"], title["color"], text["text"]) == ("t", "Attention", "b")
    assert attachment["content"]["msteams"] == {"width": "full"}
    assert second["attachments"][0]["content"]["body"][0]["color"] == "Good"


async def test_webex_is_cut_by_bytes_and_gets_its_token() -> None:
    """No character is cut in two, and the end shows that something is missing."""
    options = {"message": "é" * 4_000}
    async with recorder() as site, sender(**webex(site, **options)) as made:
        await made.send(notification())
        (request,) = site.requests
    assert len(request.body["markdown"].encode()) <= 7_439
    assert request.body["markdown"] == "é" * 3_718 + "…"
    assert request.body["roomId"] == "room"
    assert request.headers["Authorization"] == "Bearer s3cr3t-token"


async def test_rocketchat_gets_one_attachment_and_who_posts() -> None:
    """Fields say whether they are short, buttons are plain; what is empty is left out."""
    options = {
        "channel": "#ops",
        "title": "x" * 1_025,
        "fields": (RocketchatField("a", "{{ .Status }}"), RocketchatField("b", "c", short=True)),
        "actions": (RocketchatAction(text="Ack", msg="ack {{ .Status }}"),),
    }
    async with recorder(rocket) as site, sender(**rocketchat(site, **options)) as made:
        await made.send(notification())
        (request,) = site.requests
    (attachment,) = request.body["attachments"]
    assert request.path == "/api/v1/chat.postMessage"
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert (headers["x-user-id"], headers["x-auth-token"]) == ("user", "s3cr3t-token")
    assert request.body.keys() == {"channel", "attachments"}
    assert attachment["title"] == "x" * 1_023 + "…"
    assert attachment["color"] == "red"
    assert attachment["fields"] == [
        {"title": "a", "value": "firing", "short": False},
        {"title": "b", "value": "c", "short": True},
    ]
    assert attachment["actions"] == [
        {
            "type": "button",
            "text": "Ack",
            "msg": "ack firing",
            "is_webview": False,
            "msg_in_chat_window": False,
        }
    ]


@pytest.mark.parametrize(
    ("said", "temporary", "words"),
    [
        ('{"success": false, "error": "no s3cr3t-token"}', False, "Rocket.Chat answered: no"),
        ("<html>", True, "did not answer in JSON"),
        ("[]", True, "did not answer in JSON"),
    ],
)
async def test_rocketchat_may_refuse_with_status_200(
    said: str, temporary: bool, words: str
) -> None:
    """What it says counts, not the status; an answer that is none may be tried again."""

    def refuse(_request: Request) -> web.Response:
        return web.Response(text=said)

    async with recorder(refuse) as site, sender(**rocketchat(site)) as made:
        with pytest.raises(DeliveryError, match=words) as caught:
            await made.send(notification())
    assert caught.value.temporary is temporary
    assert "s3cr3t" not in str(caught.value)


async def test_mattermost_shows_one_attachment_by_default() -> None:
    """The text stands in the attachment, with fields, footer, card and priority."""
    options = {
        "channel": "ops",
        "fields": (
            MattermostField("n", "{{ len .Alerts }}"),
            MattermostField("b", "c", short=True),
        ),
        "footer": "f",
        "props": MattermostProps("# {{ .Status }}"),
        "priority": MattermostPriority("URGENT", requested_ack=True, persistent_notifications=True),
        "title": "t",
        "title_link": "l",
        "text": "x",
        "fallback": "fb",
    }
    async with recorder() as site, sender(**mattermost(site, **options)) as made:
        await made.send(notification())
        (request,) = site.requests
    assert request.body == {
        "channel": "ops",
        "username": "Alertmanager",
        "attachments": [
            {
                "fallback": "fb",
                "color": "danger",
                "text": "x",
                "title": "t",
                "title_link": "l",
                "footer": "f",
                "fields": [
                    {"title": "n", "value": "1"},
                    {"title": "b", "value": "c", "short": True},
                ],
            }
        ],
        "props": {"card": "# firing"},
        "priority": {
            "priority": "urgent",
            "requested_ack": True,
            "persistent_notifications": True,
        },
    }


async def test_mattermost_puts_its_text_above_attachments_of_ones_own() -> None:
    """The text is cut at Mattermost's limit."""
    own = (
        MattermostAttachment(text="{{ .Status }}", color="#fff"),
        MattermostAttachment(title="2"),
    )
    options = {"attachments": own, "text": "y" * 16_384, "username": "", "icon_emoji": ":x:"}
    async with recorder() as site, sender(**mattermost(site, **options)) as made:
        await made.send(notification())
        (request,) = site.requests
    assert request.body == {
        "text": "y" * 16_382 + "…",
        "icon_emoji": ":x:",
        "attachments": [{"color": "#fff", "text": "firing"}, {"title": "2"}],
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            MattermostPriority("important", True, True),
            {"priority": "important", "requested_ack": 1},
        ),
        (MattermostPriority("standard", True, True), {"priority": "standard"}),
        (MattermostPriority("loud", True, True), {"priority": "standard"}),
        (MattermostPriority("", True, True), None),
    ],
)
async def test_mattermost_is_asked_for_no_more_than_a_priority_allows(
    asked: MattermostPriority, told: dict[str, Any] | None
) -> None:
    """Only what it takes is sent: it would refuse the whole message."""
    async with recorder() as site, sender(**mattermost(site, priority=asked)) as made:
        await made.send(notification())
        (request,) = site.requests
    assert request.body.get("priority") == told


class Wecom:
    """WeChat Work: gives tokens, and takes messages with the last one."""

    def __init__(self) -> None:
        self.given = 0
        self.valid = 0
        self.error = 0

    def __call__(self, request: Request) -> web.Response:
        if request.path == "/cgi-bin/gettoken":
            assert dict(request.query) == {"corpid": "corp", "corpsecret": "s3cr3t"}
            self.given += 1
            self.valid = self.given
            return web.json_response({"errcode": 0, "access_token": f"token-{self.given}"})
        assert request.path == "/cgi-bin/message/send"
        stale = request.query["access_token"] != f"token-{self.valid}"
        said = {"errcode": 42001 if stale else self.error, "errmsg": "s3cr3t words"}
        return web.json_response(said)


async def test_wechat_keeps_its_token_until_it_is_refused() -> None:
    """One token serves many messages; when it ends, the message is sent with another at once."""
    service = Wecom()
    async with recorder(service) as site, sender(**wechat(site)) as made:
        await made.send(notification())
        await made.send(notification())
        assert (service.given, len(site.requests)) == (1, 3)
        service.valid = 0
        await made.send(RESOLVED)
        assert (service.given, len(site.requests)) == (2, 6)


@pytest.mark.parametrize(
    ("kind", "shown"), [("text", ("text", "markdown")), ("markdown", ("markdown", "text"))]
)
async def test_wechat_sends_text_or_markdown(kind: str, shown: tuple[str, str]) -> None:
    """The content stands under its type; recipients are rendered, and left out when empty."""
    options = {"message": "m {{ .Status }}", "message_type": kind, "to_user": "{{ .Receiver }}"}
    async with recorder(Wecom()) as site, sender(**wechat(site, **options)) as made:
        await made.send(notification())
        request = site.requests[-1]
    full, empty = shown
    assert request.body == {
        full: {"content": "m firing"},
        empty: {"content": ""},
        "touser": "ops",
        "safe": "0",
        "msgtype": kind,
    }


@pytest.mark.parametrize(("code", "temporary"), [(-1, True), (45009, True), (40003, False)])
async def test_wechat_refuses_by_a_code(code: int, temporary: bool) -> None:
    """It answers 200 to everything: a busy service may be asked again, the rest is for good."""
    service = Wecom()
    service.error = code
    async with recorder(service) as site, sender(**wechat(site)) as made:
        with pytest.raises(DeliveryError, match=f"WeChat answered {code}") as caught:
            await made.send(notification())
    assert caught.value.temporary is temporary


async def test_wechat_may_refuse_to_give_a_token() -> None:
    """A wrong secret is for good, and is not repeated."""

    def refuse(_request: Request) -> web.Response:
        return web.json_response({"errcode": 40001, "errmsg": "invalid credential s3cr3t"})

    async with recorder(refuse) as site, sender(**wechat(site)) as made:
        with pytest.raises(DeliveryError, match="WeChat answered 40001") as caught:
            await made.send(notification())
    assert (caught.value.temporary, caught.value.reason) == (False, FailureReason.AUTH_ERROR)
    assert "s3cr3t" not in str(caught.value)
