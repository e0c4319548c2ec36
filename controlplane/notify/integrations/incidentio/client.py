"""Sends groups to incident.io."""

import json
from dataclasses import replace
from functools import partial

from controlplane.notify.integrations.http import Answer, Call
from controlplane.notify.integrations.incidentio.options import IncidentioConfig
from controlplane.notify.integrations.incidentio.render import body
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification
from controlplane.notify.rendering import Render


class Incidentio(Posting[IncidentioConfig]):
    """One entry of `incidentio_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST the group. Raises DeliveryError."""
        config = self._config
        url = reveal(config.url, "url")
        encoded, cut = await self._made(notification, partial(self._body, notification))
        token = reveal(config.alert_source_token, "alert_source_token")
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        call = Call("POST", url, encoded, headers, hides=(token,))
        return replace(await self._call(call, notification.seconds, _problem), cut=cut)

    def _body(self, notification: Notification, _render: Render) -> tuple[bytes, int]:
        return body(
            notification,
            max_alerts=self._config.max_alerts,
            external_url=self._templates.external_url,
            route_labels=self._templates.labels_of(notification),
        )


def _problem(answer: Answer) -> str:
    """Return what incident.io finds wrong: a message, an error, and a list of them."""
    try:
        said = json.loads(answer.text)
        parts = [
            said.get("message"),
            said.get("error"),
            ", ".join(map(str, said.get("errors", ()))),
        ]
    except (ValueError, AttributeError, TypeError):
        return ""
    return ": ".join(str(part) for part in parts if part)
