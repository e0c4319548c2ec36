"""Posts cards to a connector of Microsoft Teams."""

from controlplane.notify.integrations.msteams.options import MSTeamsConfig
from controlplane.notify.integrations.msteams.render import card
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class MSTeams(Posting[MSTeamsConfig]):
    """One entry of `msteams_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one card. Raises DeliveryError."""
        status = notification.status
        body = await self._made(notification, lambda render: card(self._config, status, render))
        url = reveal(self._config.webhook_url, "webhook_url")
        return await self._post(url, body, notification)
