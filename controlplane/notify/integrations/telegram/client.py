"""Sends messages as a Telegram bot."""

import json
from typing import Any

from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, Call, answer_to, below
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.telegram.options import TelegramConfig
from controlplane.notify.integrations.telegram.render import message
from controlplane.notify.message import Delivery, FailureReason, Notification, Outcome


class Telegram(Posting[TelegramConfig]):
    """One entry of `telegram_configs`."""

    async def send(self, notification: Notification) -> Delivery:
        """Send one message. Raises DeliveryError."""
        token = reveal(self._config.bot_token, "bot_token")
        url = below(self._config.api_url, f"bot{token}", "sendMessage")
        chat = self._chat_id()
        body = await self._made(notification, lambda render: message(self._config, chat, render))
        call = Call.json("POST", url, body, hides=(token,))
        answer = await answer_to(self._client, call, seconds=notification.seconds)
        said = _said(answer)
        if answer.status_code != 200 or said.get("ok") is not True:
            raise _refused(call, answer, said)
        return Delivery(status_code=answer.status_code)

    def _chat_id(self) -> str:
        if self._config.chat_id_file is None:
            return str(self._config.chat_id)
        text = reveal(self._config.chat_id_file, "chat_id_file")
        try:
            return str(int(text))
        except ValueError:
            raise DeliveryError(
                "the chat_id_file holds no whole number", reason=FailureReason.CLIENT_ERROR
            ) from None


def _said(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _refused(call: Call, answer: Answer, said: dict[str, Any]) -> DeliveryError:
    """Return the error, with the wait that Telegram asks for in the body of its answer."""
    if answer.status_code == 200:
        return DeliveryError(
            "the answer is not Telegram's", temporary=True, outcome=Outcome.UNKNOWN, status_code=200
        )
    error = call.refused(answer, str(said.get("description", answer.text)))
    parameters = said.get("parameters")
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if error.retry_after is None and isinstance(asked, int) and asked >= 0:
        error.retry_after = float(asked)
    return error
