"""Posts messages to a Discord webhook."""

from controlplane.notify.integrations.discord.options import DiscordConfig
from controlplane.notify.integrations.discord.render import message
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class Discord(Posting[DiscordConfig]):
    """One entry of `discord_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        render = self._templates.renderer(notification)
        body = message(self._config, notification.status, render)
        url = reveal(self._config.webhook_url, "webhook_url")
        return await self._post(url, body, notification)
