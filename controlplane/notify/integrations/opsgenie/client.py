"""Creates and closes alerts at Opsgenie."""

from functools import partial
from typing import Any

from controlplane.model.alert import AlertStatus
from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Call, below
from controlplane.notify.integrations.opsgenie.options import OpsgenieConfig
from controlplane.notify.integrations.opsgenie.render import alert
from controlplane.notify.integrations.posting import Posting, dedup_key, reveal
from controlplane.notify.message import Delivery, Notification, Outcome
from controlplane.notify.rendering import Render


class Opsgenie(Posting[OpsgenieConfig]):
    """One entry of `opsgenie_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """Create or close the alert, or bring its texts up to date. Raises DeliveryError.

        All requests may be made again: the alias makes them one alert.
        """
        first, *more = await self._made(notification, partial(self._calls, notification))
        seconds = notification.seconds / (1 + len(more))
        delivery = await self._call(first, seconds)
        try:
            for call in more:
                await self._call(call, seconds)
        except DeliveryError as error:
            error.outcome = Outcome.UNKNOWN  # whatever it says, the alert is open
            raise
        return delivery

    def _calls(self, notification: Notification, render: Render) -> list[Call]:
        key = render(reveal(self._config.api_key, "api_key"))
        said_by = {"Authorization": f"GenieKey {key}"}
        return [
            Call.json(method, url, body, headers=said_by, hides=(key,))
            for method, url, body in self._requests(notification, render)
        ]

    def _requests(
        self, notification: Notification, render: Render
    ) -> list[tuple[str, str, dict[str, Any]]]:
        """Return method, URL and body of each request, in order."""
        if notification.status is AlertStatus.RESOLVED:
            closed = {"source": render(self._config.source)}
            return [("POST", self._of_alias(notification, "close"), closed)]
        body = alert(notification, self._config, self._templates, render)
        created = ("POST", below(self._config.api_url, "v2", "alerts"), body)
        if not self._config.update_alerts:
            return [created]
        return [
            created,
            *(
                ("PUT", self._of_alias(notification, part), _present(part, body))
                for part in ("message", "description")
            ),
        ]

    def _of_alias(self, notification: Notification, what: str) -> str:
        alias = dedup_key(notification.key)
        return below(self._config.api_url, "v2", "alerts", alias, what, identifierType="alias")


def _present(part: str, body: dict[str, Any]) -> dict[str, Any]:
    return {part: body[part]} if body.get(part) else {}
