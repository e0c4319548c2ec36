"""Posts messages to Rocket.Chat."""

import json
from typing import Final

from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, Call, answer_to, below
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.rocketchat.options import RocketchatConfig
from controlplane.notify.integrations.rocketchat.render import message
from controlplane.notify.message import Delivery, FailureReason, Notification

_MOST_TOLD: Final = 200


class Rocketchat(Posting[RocketchatConfig]):
    """One entry of `rocketchat_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        config = self._config
        token, user = reveal(config.token, "token"), reveal(config.token_id, "token_id")
        body = await self._made(notification, lambda render: message(config, render))
        call = Call.json(
            "POST",
            below(config.api_url, "api/v1/chat.postMessage"),
            body,
            headers={"X-Auth-Token": token, "X-User-Id": user},
            hides=(token, user),
        )
        answer = await answer_to(self._client, call, seconds=notification.seconds)
        if not 200 <= answer.status_code < 300:
            raise call.refused(answer, answer.text)
        _check(answer, call)
        return Delivery(status_code=answer.status_code)


def _check(answer: Answer, call: Call) -> None:
    """Raise DeliveryError for a no that came with a yes of HTTP."""
    try:
        said = json.loads(answer.text)
        accepted, detail = said.get("success"), str(said.get("error", ""))
    except (ValueError, AttributeError):
        raise DeliveryError(
            "Rocket.Chat did not answer in JSON", temporary=True, status_code=answer.status_code
        ) from None
    if accepted is not True:
        raise DeliveryError(
            f"Rocket.Chat answered: {call.scrub(detail)[:_MOST_TOLD]}",
            reason=FailureReason.CLIENT_ERROR,
            status_code=answer.status_code,
        )
