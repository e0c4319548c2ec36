"""Sends events to VictorOps."""

from functools import partial

from controlplane.notify.integrations.http import Call, below
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.integrations.victorops.render import event
from controlplane.notify.message import Delivery, Notification
from controlplane.notify.rendering import Render


class Victorops(Posting[VictoropsConfig]):
    """One entry of `victorops_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one event. Raises DeliveryError."""
        call = await self._made(notification, partial(self._request, notification))
        return await self._call(call, notification.seconds)

    def _request(self, notification: Notification, render: Render) -> Call:
        key = reveal(self._config.api_key, "api_key")
        url = below(self._config.api_url, key, render(self._config.routing_key))
        return Call.json("POST", url, event(notification, self._config, render), hides=(key,))
