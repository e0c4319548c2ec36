"""Sends groups to incident.io."""

import json

from controlplane.notify.integrations.http import Answer, ask, refusal
from controlplane.notify.integrations.incidentio.options import IncidentioConfig
from controlplane.notify.integrations.incidentio.render import body
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.message import Delivery, Notification


class Incidentio(Posting[IncidentioConfig]):
    """One entry of `incidentio_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST the group. Raises DeliveryError."""
        config = self._config
        url = reveal(config.url, "url")
        encoded, cut = body(
            notification,
            max_alerts=config.max_alerts,
            external_url=self._templates.external_url,
        )
        answer = await ask(
            self._client, "POST", url, encoded, headers=self._token(), seconds=notification.seconds
        )
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, _problem(answer), url)
        return Delivery(status_code=answer.status_code, cut=cut)

    def _token(self) -> dict[str, str]:
        token = self._config.alert_source_token
        if token is None:
            return {}
        return {"Authorization": f"Bearer {reveal(token, 'alert_source_token')}"}


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
