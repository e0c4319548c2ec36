"""Posts messages to a Mattermost webhook."""

from controlplane.notify.integrations.mattermost.options import MattermostConfig
from controlplane.notify.integrations.mattermost.render import message
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class Mattermost(Posting[MattermostConfig]):
    """One entry of `mattermost_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        body = await self._made(notification, lambda render: message(self._config, render))
        url = reveal(self._config.webhook_url, "webhook_url")
        return await self._post(url, body, notification)
