"""Posts cards to a workflow of Microsoft Teams."""

from controlplane.notify.integrations.msteamsv2.options import MSTeamsV2Config
from controlplane.notify.integrations.msteamsv2.render import message
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class MSTeamsV2(Posting[MSTeamsV2Config]):
    """One entry of `msteamsv2_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one card. Raises DeliveryError."""
        render = self._templates.renderer(notification)
        body = message(self._config, notification.status, render)
        url = reveal(self._config.webhook_url, "webhook_url")
        return await self._post(url, body, notification)
