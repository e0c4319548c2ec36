"""Posts messages to a Webex room."""

from controlplane.notify.integrations.posting import Posting
from controlplane.notify.integrations.webex.options import WebexConfig
from controlplane.notify.integrations.webex.render import message
from controlplane.notify.message import Delivery, Notification


class Webex(Posting[WebexConfig]):
    """One entry of `webex_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        body = await self._made(notification, lambda render: message(self._config, render))
        return await self._post(self._config.api_url, body, notification)
