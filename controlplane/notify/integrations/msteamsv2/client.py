"""Posts cards to a workflow of Microsoft Teams."""

from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.integrations.msteamsv2.render import message
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class MSTeamsV2(Posting[MSTeamsV2Config]):
    """One entry of `msteamsv2_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one card. Raises DeliveryError."""
        status = notification.status
        body = await self._made(notification, lambda render: message(self._config, status, render))
        url = reveal(self._config.webhook_url, "webhook_url")
        return await self._post(url, body, notification)
