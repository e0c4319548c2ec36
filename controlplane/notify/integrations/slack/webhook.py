"""Posts messages to a Slack incoming webhook."""

import json

import httpx

from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, post_json, refusal, scrub
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.slack.options import SlackConfig
from controlplane.notify.integrations.slack.render import cut, message
from controlplane.notify.message import Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render, Templates


class SlackWebhook(Posting[SlackConfig]):
    """One entry of `slack_configs` with an `api_url`. Each notification is a new message."""

    def __init__(
        self,
        name: str,
        config: SlackConfig,
        api_url: Secret,
        templates: Templates,
        client: httpx.AsyncClient,
    ) -> None:
        super().__init__(name, config, templates, client)
        self._api_url = api_url

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        encoded = await self._made(notification, self._body)
        url = reveal(self._api_url, "Slack api_url")
        answer = await post_json(self._client, url, encoded, seconds=notification.seconds)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, answer.text, url)
        if not _accepted(answer):
            raise DeliveryError(
                f"Slack answered {scrub(answer.text, url)[:100]!r}",
                reason=FailureReason.CLIENT_ERROR,
                status_code=answer.status_code,
            )
        return Delivery(status_code=answer.status_code, cut=cut(self._config))

    def _body(self, render: Render) -> bytes:
        body = message(self._config, render)
        if channel := render(self._config.channel):
            body["channel"] = channel
        return json.dumps(body, ensure_ascii=False).encode()


def _accepted(answer: Answer) -> bool:
    """Tell whether a 2xx means yes: webhooks say `ok`, the Web API says it in JSON."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        try:
            return json.loads(answer.text).get("ok") is True
        except (ValueError, AttributeError):
            return False
    return answer.text.strip() == "ok"
