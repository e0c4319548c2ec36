"""Posts and updates messages as a Slack bot, by the Web API."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.posting import Configured
from controlplane.notify.integrations.slack.blocks import blocks, taken
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.slack.render import cut, history, message
from controlplane.notify.integrations.slack.web_api import MessageGone, WebAPI
from controlplane.notify.integrations.slack.worse import Standing, standing
from controlplane.notify.message import Content, Delivery, Notification
from controlplane.notify.picture import Picture
from controlplane.notify.rendering import Render, Templates
from controlplane.notify.silenced import Quiet, SilencedBy, quiet
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# A picture is drawn and sent within so many seconds, and only so many at once.
_PICTURE_SECONDS: Final = 20.0
_MOST_PICTURES: Final = 4


class SlackBot(Configured[SlackConfig]):
    """One entry of `slack_configs` with a bot's token.

    `external` keeps the place of the group's message (`channel`, `ts`), the
    worst that its channel was told of, and what the message shows of silences.
    """

    def __init__(
        self,
        name: str,
        config: SlackConfig,
        templates: Templates,
        api: WebAPI,
        *,
        silenced_by: SilencedBy,
        picture: Picture,
    ) -> None:
        super().__init__(name, config, templates)
        self._api = api
        self._silenced_by = silenced_by
        self._picture = picture
        self._pictures: set[asyncio.Task[None]] = set()

    @property
    def signing_secret(self) -> Secret | None:
        """What Slack signs clicks on our buttons with; None where there are no buttons."""
        return self._config.signing_secret

    def is_news(self, quiet: Quiet, external: Mapping[str, str]) -> bool:
        """Tell whether the message shows something else of silences than there is."""
        shows = self._config.is_interactive and bool(external.get("ts"))
        return shows and quiet.digest != external.get("silenced", "")

    async def send(self, notification: Notification) -> Delivery:
        """Post a message, or bring the group's message up to date. Raises DeliveryError."""
        if self._config.keeps_one_message and notification.external.get("ts"):
            try:
                return await self._update(notification, notification.external)
            except MessageGone:
                pass  # a new one takes its place
        return await self._post(notification)

    async def close(self) -> None:
        """Give up connections, and pictures on their way."""
        for task in tuple(self._pictures):
            task.cancel()
        await self.idle()
        await self._api.close()

    async def idle(self) -> None:
        """Return when no picture is on its way."""
        await asyncio.gather(*self._pictures, return_exceptions=True)

    async def _post(self, notification: Notification) -> Delivery:
        silences = self._quiet(notification)
        channel, body = await self._made(
            notification,
            lambda render: (
                render(self._config.channel),
                self._body(notification, render, silences),
            ),
        )
        answer = await self._api.post_message(seconds=notification.seconds, channel=channel, **body)
        place = {"channel": str(answer["channel"]), "ts": str(answer["ts"])}
        if notification.firing:
            self._illustrate(notification.content, place)
        now = standing(notification)
        return self._delivered(answer.status_code, place, now, silences)

    async def _update(self, notification: Notification, external: Mapping[str, str]) -> Delivery:
        """Change the group's message and tell its thread what is new. Raises MessageGone."""
        silences = self._quiet(notification)
        body, news = await self._made(
            notification,
            lambda render: (
                self._body(notification, render, silences),
                self._news(notification, silences),
            ),
        )
        for key in ("username", "icon_emoji", "icon_url"):
            body.pop(key, None)  # what chat.update does not take
        place = {"channel": external["channel"], "ts": external["ts"]}
        answer = await self._api.update(seconds=notification.seconds, **place, **body)
        # An update notifies nobody: what got worse is shown in the channel too.
        before, now = Standing.kept(external, notification.delivered), standing(notification)
        await self._api.post_message(
            seconds=notification.seconds,
            channel=place["channel"],
            thread_ts=place["ts"],
            text=news,
            reply_broadcast=now.worse_than(before),
        )
        return self._delivered(answer.status_code, place, now.worst(before), silences)

    def _body(self, notification: Notification, render: Render, silences: Quiet) -> dict[str, Any]:
        """Return the message with the text that notifications on phones show."""
        body = message(self._config, render)
        attachment = body["attachments"][0]
        if self._config.is_interactive:
            kept = {key: attachment[key] for key in ("color", "fallback") if key in attachment}
            shown = blocks(notification, self._config, render, silences)
            body["attachments"] = [{**kept, "blocks": shown}]
        return {"text": attachment["fallback"], **body}

    def _news(self, notification: Notification, silences: Quiet) -> str:
        """Return what the thread is told."""
        if notification.content.reason is Reason.SILENCED:
            return "\n".join(taken(silences)) or ":bell: Silenced no more"
        return history(notification, self._templates)

    def _quiet(self, notification: Notification) -> Quiet:
        firing = notification.firing if self._config.is_interactive else ()
        return quiet(firing, self._silenced_by)

    def _delivered(
        self, status_code: int, place: Mapping[str, str], worst: Standing, silences: Quiet
    ) -> Delivery:
        external = {**place, **worst.keep(), "silenced": silences.digest}
        return Delivery(status_code=status_code, cut=cut(self._config), external=external)

    def _illustrate(self, content: Content, place: Mapping[str, str]) -> None:
        """Have a picture follow the message into its thread; the message does not wait for it."""
        if len(self._pictures) >= _MOST_PICTURES:
            return
        task = asyncio.create_task(self._send_picture(content, place))
        self._pictures.add(task)
        task.add_done_callback(self._pictures.discard)

    async def _send_picture(self, content: Content, place: Mapping[str, str]) -> None:
        try:
            async with asyncio.timeout(_PICTURE_SECONDS):
                graph = await self._picture(content)
                if graph is not None:
                    await self._api.upload(
                        graph.png, words=graph.words, seconds=_PICTURE_SECONDS, **place
                    )
        except (DeliveryError, TimeoutError) as error:
            detail = str(error) or "it took too long"
            log.warning("a picture was not sent", integration=self.name, reason=detail)
