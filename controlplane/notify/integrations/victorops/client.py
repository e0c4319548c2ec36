"""Sends events to VictorOps."""

from controlplane.notify.integrations.http import Call, below
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.victorops.options import VictoropsConfig
from controlplane.notify.integrations.victorops.render import event
from controlplane.notify.message import Delivery, Notification


class Victorops(Posting[VictoropsConfig]):
    """One entry of `victorops_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one event. Raises DeliveryError."""
        render = self._templates.renderer(notification)
        key = reveal(self._config.api_key, "api_key")
        url = below(self._config.api_url, key, render(self._config.routing_key))
        body = event(notification, self._config, render)
        return await self._call(Call.json("POST", url, body, hides=(key,)), notification.seconds)
