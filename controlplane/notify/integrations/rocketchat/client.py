"""Posts messages to Rocket.Chat."""

import json

from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, ask, refusal, scrub
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.rocketchat.options import RocketchatConfig
from controlplane.notify.integrations.rocketchat.render import message
from controlplane.notify.message import Delivery, FailureReason, Notification


class Rocketchat(Posting[RocketchatConfig]):
    """One entry of `rocketchat_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError."""
        config = self._config
        body = message(config, self._templates.renderer(notification))
        url = f"{config.api_url.rstrip('/')}/api/v1/chat.postMessage"
        answer = await ask(
            self._client,
            "POST",
            url,
            json.dumps(body, ensure_ascii=False).encode(),
            headers={
                "X-Auth-Token": reveal(config.token, "token"),
                "X-User-Id": reveal(config.token_id, "token_id"),
            },
            seconds=notification.seconds,
        )
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, answer.text, url)
        _check(answer, url)
        return Delivery(status_code=answer.status_code)


def _check(answer: Answer, url: str) -> None:
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
            f"Rocket.Chat answered: {scrub(detail, url)[:100]}",
            reason=FailureReason.CLIENT_ERROR,
            status_code=answer.status_code,
        )
