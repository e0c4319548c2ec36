"""Sends notifications to a webhook."""

import json

from controlplane.errors import Unavailable
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import post_json, refusal
from controlplane.notify.integrations.payload import payload
from controlplane.notify.integrations.posting import Posting
from controlplane.notify.integrations.webhook.options import WebhookConfig
from controlplane.notify.message import Delivery, Notification
from controlplane.notify.rendering import Render, render_tree


class Webhook(Posting[WebhookConfig]):
    """One entry of `webhook_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST the payload; any 2xx is success. Raises DeliveryError."""
        url, body = await self._made(
            notification, lambda render: (self._url(render), self._body(notification, render))
        )
        answer = await post_json(self._client, url, body, seconds=notification.seconds)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, answer.text, url)
        return Delivery(status_code=answer.status_code)

    def _url(self, render: Render) -> str:
        try:
            url = render(self._config.url.reveal()).strip()
        except Unavailable as error:
            raise DeliveryError(f"webhook URL: {error}", temporary=True) from None
        if not url:
            raise DeliveryError("the webhook URL is empty")
        return url

    def _body(self, notification: Notification, render: Render) -> bytes:
        if self._config.payload is not None:
            return json.dumps(render_tree(self._config.payload, render)).encode()
        body = payload(
            notification,
            max_alerts=self._config.max_alerts,
            external_url=self._templates.external_url,
            route_labels=self._templates.labels_of(notification),
        )
        return json.dumps(body, ensure_ascii=False).encode()
