"""Sends events to PagerDuty."""

import json

from controlplane.errors import Unavailable
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, post_json, refusal
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.pagerduty.render import event
from controlplane.notify.integrations.posting import Posting
from controlplane.notify.message import Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render


class PagerDuty(Posting[PagerdutyConfig]):
    """One entry of `pagerduty_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one event. Raises DeliveryError."""
        render = self._templates.renderer(notification)
        body = event(notification, self._config, self._routing_key(render), render)
        answer = await post_json(self._client, self._config.url, body, seconds=notification.seconds)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, _problem(answer), self._config.url)
        return Delivery(status_code=answer.status_code)

    def _routing_key(self, render: Render) -> str:
        try:
            key = render(self._config.routing_key.reveal()).strip()
        except Unavailable as error:
            raise DeliveryError(f"routing key: {error}", temporary=True) from None
        if not key:
            raise DeliveryError("the routing key is empty", reason=FailureReason.CLIENT_ERROR)
        return key


def _problem(answer: Answer) -> str:
    """Return what PagerDuty finds wrong with an event; it never repeats the routing key."""
    try:
        said = json.loads(answer.text)
        return f"{said['message']}: {', '.join(map(str, said.get('errors', ())))}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
