"""Sends events to PagerDuty."""

import json
from collections.abc import Mapping
from functools import partial

import httpx

from controlplane.model.alert import AlertStatus
from controlplane.model.labels import EMPTY
from controlplane.notify.changes import Change
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.http import Answer, post_json, refusal
from controlplane.notify.integrations.pagerduty.options import PagerdutyConfig
from controlplane.notify.integrations.pagerduty.render import (
    Event,
    acknowledgement,
    change_event,
    event,
)
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import (
    Content,
    Delivery,
    FailureReason,
    Notification,
    Outcome,
)
from controlplane.notify.rendering import Render, Templates
from controlplane.notify.silenced import Quiet, SilencedBy, quiet


class PagerDuty(Posting[PagerdutyConfig]):
    """One entry of `pagerduty_configs`.

    An incident whose alerts have all been acknowledged with us is acknowledged
    there too, once: `external` keeps that it was.
    """

    def __init__(
        self,
        name: str,
        config: PagerdutyConfig,
        templates: Templates,
        client: httpx.AsyncClient,
        *,
        silenced_by: SilencedBy,
    ) -> None:
        super().__init__(name, config, templates, client)
        self._silenced_by = silenced_by

    @property
    def takes_changes(self) -> bool:
        """Whether the service is to hear of new configurations."""
        return self._config.change_events

    def is_news(self, quiet: Quiet, external: Mapping[str, str]) -> bool:
        """Tell whether the incident is to be acknowledged; PagerDuty takes none back."""
        return quiet.acknowledged and "acknowledged" not in external

    async def send(self, notification: Notification) -> Delivery:
        """POST a trigger or a resolve, and an acknowledgement. Raises DeliveryError."""
        key, said = await self._made(notification, partial(self._event, notification))
        delivery = Delivery()
        if said is not None:
            delivery = await self._enqueue(said, notification.seconds)
        firing = notification.status is AlertStatus.FIRING
        if not firing or not quiet(notification.firing, self._silenced_by).acknowledged:
            return delivery
        if "acknowledged" not in notification.external:
            acknowledged = acknowledgement(notification, key)
            delivery = await self._acknowledge(acknowledged, notification.seconds, delivery)
        return Delivery(delivery.status_code, delivery.cut, {"acknowledged": "yes"})

    def _event(self, notification: Notification, render: Render) -> tuple[str, Event | None]:
        """Return the routing key and the event; none where only a silence is news."""
        key = self._routing_key(render)
        if notification.content.reason is Reason.SILENCED:
            return key, None
        return key, event(notification, self._config, key, render)

    async def change(self, change: Change, *, seconds: float) -> None:
        """POST a change event. Raises DeliveryError."""
        content = Content("", EMPTY, Reason.NOTHING_NEW, (), change.at)
        nobody = Notification("", self.name, "", content)
        key = self._routing_key(self._templates.renderer(nobody))
        body = change_event(change, key, self._templates.external_url)
        await self._post_event(self._config.change_url, body, seconds)

    async def _acknowledge(self, body: bytes, seconds: float, before: Delivery) -> Delivery:
        """POST an acknowledgement; when a trigger went before it, the attempt was no clear no."""
        try:
            return await self._enqueue(Event(body, before.cut), seconds)
        except DeliveryError as error:
            if before.status_code is not None:
                error.outcome = Outcome.UNKNOWN
            raise

    async def _enqueue(self, said: Event, seconds: float) -> Delivery:
        answer = await self._post_event(self._config.url, said.body, seconds)
        return Delivery(status_code=answer.status_code, cut=said.cut)

    async def _post_event(self, url: str, body: bytes, seconds: float) -> Answer:
        answer = await post_json(self._client, url, body, seconds=seconds)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, _problem(answer), url)
        return answer

    def _routing_key(self, render: Render) -> str:
        key = render(reveal(self._config.routing_key, "routing key")).strip()
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
