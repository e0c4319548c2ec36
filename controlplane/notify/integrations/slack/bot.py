"""Posts and updates messages as a Slack bot, by the Web API."""

from collections.abc import Mapping
from typing import Any

from controlplane.notify.incident import Reason
from controlplane.notify.integrations.posting import Configured
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.slack.render import cut, history, message
from controlplane.notify.integrations.slack.web_api import MessageGone, WebAPI
from controlplane.notify.message import Delivery, Notification
from controlplane.notify.rendering import Templates


class SlackBot(Configured[SlackConfig]):
    """One entry of `slack_configs` with a bot's token."""

    def __init__(self, name: str, config: SlackConfig, templates: Templates, api: WebAPI) -> None:
        super().__init__(name, config, templates)
        self._api = api

    async def send(self, notification: Notification) -> Delivery:
        """Post a message, or bring the group's message up to date. Raises DeliveryError."""
        external = notification.external
        if self._config.update_message and external.get("ts"):
            try:
                return await self._update(notification, external)
            except MessageGone:
                pass  # a new one takes its place
        return await self._post(notification)

    async def close(self) -> None:
        await self._api.close()

    async def _post(self, notification: Notification) -> Delivery:
        render = self._templates.renderer(notification)
        answer = await self._api.post_message(
            seconds=notification.seconds,
            channel=render(self._config.channel),
            **_with_text(message(self._config, render)),
        )
        external = {"channel": str(answer["channel"]), "ts": str(answer["ts"])}
        return self._delivered(answer.status_code, external)

    async def _update(self, notification: Notification, external: Mapping[str, str]) -> Delivery:
        """Change the group's message and tell its thread what is new. Raises MessageGone."""
        render = self._templates.renderer(notification)
        body = _with_text(message(self._config, render))
        for key in ("username", "icon_emoji", "icon_url"):
            body.pop(key, None)  # what chat.update does not take
        channel, ts = external["channel"], external["ts"]
        answer = await self._api.update(
            seconds=notification.seconds, channel=channel, ts=ts, **body
        )
        # An update notifies nobody: what got worse is shown in the channel too.
        await self._api.post_message(
            seconds=notification.seconds,
            channel=channel,
            thread_ts=ts,
            text=history(notification, self._templates),
            reply_broadcast=notification.content.reason is Reason.NEW_ALERTS,
        )
        return self._delivered(answer.status_code, external)

    def _delivered(self, status_code: int, external: Mapping[str, str]) -> Delivery:
        return Delivery(status_code=status_code, cut=cut(self._config), external=dict(external))


def _with_text(body: dict[str, Any]) -> dict[str, Any]:
    """Return the message with the text that notifications on phones show."""
    return {"text": body["attachments"][0]["fallback"], **body}
