"""A stand-in for Slack: incoming webhooks and the Web API methods a bot needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from aiohttp import web

from controlplane.demo.standins.received import Action, Received
from controlplane.demo.standins.server import OnMessage, Reply, StandIn
from controlplane.demo.standins.slack_checks import POST_FIELDS, UPDATE_FIELDS, check_message
from controlplane.demo.standins.slack_clicks import Press
from controlplane.demo.standins.slack_files import Files, SlackFile

_JSON_FIELDS: Final = ("attachments", "blocks", "metadata")


@dataclass(slots=True)
class SlackMessage:
    """A message in a channel, as it reads now; `versions` are its bodies over time."""

    channel: str
    ts: str
    body: Mapping[str, Any]
    versions: list[Mapping[str, Any]]
    thread_ts: str = ""
    replies: list["SlackMessage"] = field(default_factory=list)
    locked: str = ""


class SlackStandIn(StandIn):
    """`/services/...` is an incoming webhook; `/api/<method>` the Web API of a bot.

    Channels are known by id or by `#name`; those not in `channels` do not
    exist. `messages` holds what stands in them, threads within, `files` the
    pictures that were put there. `press` is a person who clicks a button.
    """

    def __init__(
        self,
        *,
        token: str = "xoxb-stand-in",  # noqa: S107 - known to everybody
        signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5",  # noqa: S107 - the same
        channels: Mapping[str, str] | None = None,
        webhook_channel: str = "#alerts",
        on_message: OnMessage | None = None,
    ) -> None:
        super().__init__(on_message=on_message)
        self.token = token
        self.signing_secret = signing_secret
        self.channels = dict(channels or {"#alerts": "C0000ALERTS"})
        self.messages: list[SlackMessage] = []
        self._webhook_channel = webhook_channel
        self._clock = count(1_700_000_000)
        self._files = Files()

    @property
    def webhook_url(self) -> str:
        """The address of an incoming webhook."""
        return f"{self.url}/services/T000/B000/stand-in-secret"

    @property
    def app_url(self) -> str:
        """What `app_url` is to say."""
        return f"{self.url}/api/chat.postMessage"

    @property
    def files(self) -> list[SlackFile]:
        """The files that stand in channels."""
        return self._files.shared

    def press(self, message: SlackMessage, action_id: str, *, user: str, at: float) -> Press:
        """Return what Slack posts when `user` clicks a button of a message at a time, in seconds.

        Raises LookupError when the message shows no such button.
        """
        return Press.on(message.body, message.channel, message.ts, action_id, user, at).signed(
            self.signing_secret, int(at)
        )

    def lock(self, ts: str, error: str) -> None:
        """Have every later update of a message answered with `error`."""
        self._find(ts).locked = error

    def delete(self, ts: str) -> None:
        """Remove a message, as a person may."""
        self.messages.remove(self._find(ts))

    async def obey(self, request: web.Request) -> Reply:
        """Do what Slack does with a request."""
        if request.method != "POST":
            return Reply(404, "Not Found")
        if request.path.startswith("/services/"):
            return await self._webhook(request)
        if request.path.startswith("/upload/v1/"):
            return self._files.take(request.path, await request.read())
        if request.path.startswith("/api/"):
            return await self._method(request, request.path.removeprefix("/api/"))
        return Reply(404, "Not Found")

    async def _webhook(self, request: web.Request) -> Reply:
        if request.path.count("/") != 4:
            return self._no(404, "no_service")
        try:
            body = json.loads(await _webhook_json(request))
        except ValueError:
            return self._no(400, "invalid_payload")
        if not isinstance(body, dict):
            return self._no(400, "invalid_payload")
        channel = self._channel(str(body.get("channel") or self._webhook_channel))
        if channel is None:
            return self._no(404, "channel_not_found")
        error = check_message(body, POST_FIELDS)
        if error:
            return self._no(400, error)
        self._post(channel, body)
        return Reply(200, "ok")

    async def _method(self, request: web.Request, method: str) -> Reply:
        error = self._authorisation(request)
        if error:
            return self._not_ok(error)
        body = await _arguments(request)
        if isinstance(body, str):
            return self._not_ok(body)
        if method == "auth.test":
            return Reply(200, {"ok": True, "url": self.url, "team": "stand-in", "user": "bot"})
        if method == "chat.postMessage":
            return self._post_message(body)
        if method == "chat.update":
            return self._update(body)
        if method == "files.getUploadURLExternal":
            return self._answered(self._files.announce(body, self.url))
        if method == "files.completeUploadExternal":
            return self._complete_upload(body)
        return self._not_ok("unknown_method")

    def _authorisation(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return "not_authed"
        return "" if token == self.token else "invalid_auth"

    def _post_message(self, body: Mapping[str, Any]) -> Reply:
        channel = self._channel(str(body.get("channel", "")))
        if channel is None:
            return self._not_ok("channel_not_found")
        error = check_message(body, POST_FIELDS)
        if error:
            return self._not_ok(error)
        thread = str(body.get("thread_ts", ""))
        if thread and not any(message.ts == thread for message in self.messages):
            return self._not_ok("invalid_thread_ts")
        message = self._post(channel, body, thread)
        return self._ok(message)

    def _update(self, body: Mapping[str, Any]) -> Reply:
        # Unlike chat.postMessage, chat.update takes a channel's id only.
        channel = str(body.get("channel", ""))
        if channel not in self.channels.values():
            return self._not_ok("channel_not_found")
        found = [m for m in self._all() if (m.channel, m.ts) == (channel, body.get("ts"))]
        if not found:
            return self._not_ok("message_not_found")
        message = found[0]
        error = message.locked or check_message(body, UPDATE_FIELDS)
        if error:
            return self._not_ok(error)
        message.body = body
        message.versions.append(body)
        self.accept(Received("slack", Action.UPDATED, self._name(channel), body))
        return self._ok(message)

    def _complete_upload(self, body: Mapping[str, Any]) -> Reply:
        channel, thread = str(body.get("channel_id", "")), str(body.get("thread_ts", ""))
        if channel not in self.channels.values():
            return self._not_ok("channel_not_found")
        if thread and not any(message.ts == thread for message in self.messages):
            return self._not_ok("invalid_thread_ts")
        answer = self._files.complete(body, channel, thread)
        if not isinstance(answer, str):
            self.accept(Received("slack", Action.UPLOADED, self._name(channel), body))
        return self._answered(answer)

    def _answered(self, answer: Mapping[str, Any] | str) -> Reply:
        return self._not_ok(answer) if isinstance(answer, str) else Reply(200, answer)

    def _post(self, channel: str, body: Mapping[str, Any], thread: str = "") -> SlackMessage:
        ts = f"{next(self._clock)}.000100"
        message = SlackMessage(channel, ts, body, [body], thread)
        if thread:
            self._find(thread).replies.append(message)
        else:
            self.messages.append(message)
        action = Action.REPLIED if thread else Action.POSTED
        self.accept(Received("slack", action, self._name(channel), body))
        return message

    def _all(self) -> list[SlackMessage]:
        return [m for top in self.messages for m in (top, *top.replies)]

    def _find(self, ts: str) -> SlackMessage:
        return next(message for message in self._all() if message.ts == ts)

    def _channel(self, given: str) -> str | None:
        if given in self.channels.values():
            return given
        return self.channels.get(given) or self.channels.get(f"#{given}")

    def _name(self, channel: str) -> str:
        return next((name for name, known in self.channels.items() if known == channel), channel)

    def _ok(self, message: SlackMessage) -> Reply:
        body = {"ok": True, "channel": message.channel, "ts": message.ts, "message": message.body}
        return Reply(200, body)

    def _not_ok(self, error: str) -> Reply:
        self.refused.append(error)
        code, _, words = error.partition(": ")
        metadata = {"response_metadata": {"messages": [f"[ERROR] {words}"]}} if words else {}
        return Reply(200, {"ok": False, "error": code, **metadata})

    def _no(self, status: int, error: str) -> Reply:
        self.refused.append(error)
        return Reply(status, error)


async def _webhook_json(request: web.Request) -> str:
    """Return the JSON of a webhook: the body, or the field `payload` of a form."""
    if request.content_type == "application/x-www-form-urlencoded":
        form = await request.post()
        return str(form.get("payload", ""))
    return await request.text()


async def _arguments(request: web.Request) -> dict[str, Any] | str:
    """Return the arguments of a Web API call, JSON, form or query, or Slack's error."""
    if not request.can_read_body:
        return dict(request.query)
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.text())
        except ValueError:
            return "invalid_json"
        return body if isinstance(body, dict) else "json_not_object"
    if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return "invalid_post_type"
    arguments: dict[str, Any] = {name: str(value) for name, value in (await request.post()).items()}
    for name in _JSON_FIELDS:
        if name in arguments:
            try:
                arguments[name] = json.loads(arguments[name])
            except ValueError:
                return f"invalid_{name}_format"
    return arguments
