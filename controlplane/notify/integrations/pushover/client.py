"""Sends messages by Pushover."""

import json

from controlplane.notify.integrations.http import Answer, Call
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.pushover.options import PUSHOVER_API_URL, PushoverConfig
from controlplane.notify.integrations.pushover.render import message
from controlplane.notify.message import Delivery, Notification
from controlplane.notify.rendering import Render


class Pushover(Posting[PushoverConfig]):
    """One entry of `pushover_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message. Raises DeliveryError.

        Alertmanager gives the fields in the URL; in the body no log on the way sees the keys.
        """
        call = await self._made(notification, self._request)
        return await self._call(call, notification.seconds, _problem)

    def _request(self, render: Render) -> Call:
        token = render(reveal(self._config.token, "token"))
        user = render(reveal(self._config.user_key, "user_key"))
        fields = {"token": token, "user": user, **message(self._config, render)}
        return Call.form(PUSHOVER_API_URL, fields, hides=(token, user))


def _problem(answer: Answer) -> str:
    """Return what Pushover finds wrong with a message, else all that was answered."""
    try:
        return "; ".join(map(str, json.loads(answer.text)["errors"]))
    except (ValueError, KeyError, TypeError):
        return answer.text
