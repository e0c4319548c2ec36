"""Posts messages to WeChat Work, by a token that it gives for the corporation's secret."""

import json
from typing import Any, Final

import httpx

from controlplane.notify.errors import DeliveryError
from controlplane.notify.integrations.http import Answer, ask, below, refusal, scrub
from controlplane.notify.integrations.posting import Posting, reveal
from controlplane.notify.integrations.wechat.options import WechatConfig
from controlplane.notify.integrations.wechat.render import message
from controlplane.notify.message import Delivery, FailureReason, Notification
from controlplane.notify.rendering import Render, Templates

# A token that is not, or no longer, valid: another one helps.
_STALE: Final = frozenset({40014, 42001})
# "System busy", which the service asks to try again, and too many calls.
_BUSY: Final = frozenset({-1, 45009})
_MOST_TOLD: Final = 200


class Wechat(Posting[WechatConfig]):
    """One entry of `wechat_configs`."""

    def __init__(
        self, name: str, config: WechatConfig, templates: Templates, client: httpx.AsyncClient
    ) -> None:
        super().__init__(name, config, templates, client)
        self._token = ""

    async def send(self, notification: Notification) -> Delivery:
        """POST one message; with another token where the one kept has ended.

        Raises DeliveryError.
        """
        render = self._templates.renderer(notification)
        body = await self._made(notification, self._body)
        kept = bool(self._token)
        answer, said = await self._post_message(body, render, notification.seconds)
        if kept and said.get("errcode") in _STALE:
            answer, said = await self._post_message(body, render, notification.seconds)
        if said.get("errcode") != 0:
            raise _refused(said, answer, self._token)
        return Delivery(status_code=answer.status_code)

    def _body(self, render: Render) -> bytes:
        return json.dumps(message(self._config, render), ensure_ascii=False).encode()

    async def _post_message(
        self, body: bytes, render: Render, seconds: float
    ) -> tuple[Answer, dict[str, Any]]:
        token = self._token or await self._ask_token(render, seconds)
        url = self._url("message/send", access_token=token)
        answer = await ask(self._client, "POST", url, body, seconds=seconds)
        said = _said(answer, url)
        self._token = "" if said.get("errcode") in _STALE else token
        return answer, said

    async def _ask_token(self, render: Render, seconds: float) -> str:
        secret = render(reveal(self._config.api_secret, "api_secret"))
        url = self._url("gettoken", corpsecret=secret, corpid=render(self._config.corp_id))
        answer = await ask(self._client, "GET", url, seconds=seconds)
        said = _said(answer, url)
        token = said.get("access_token")
        if not isinstance(token, str) or not token:
            raise _refused(said, answer, secret, reason=FailureReason.AUTH_ERROR)
        return token

    def _url(self, method: str, **query: str) -> str:
        return below(self._config.api_url, method, **query)


def _said(answer: Answer, url: str) -> dict[str, Any]:
    """Return the answer's JSON. Raises DeliveryError, to be tried again, where there is none."""
    if answer.status_code != 200:
        error = refusal(answer, "", url)
        error.temporary = True
        raise error
    try:
        said = json.loads(answer.text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise DeliveryError(
            "WeChat did not answer in JSON", temporary=True, status_code=answer.status_code
        )
    return said


def _refused(
    said: dict[str, Any],
    answer: Answer,
    secret: str,
    *,
    reason: FailureReason = FailureReason.CLIENT_ERROR,
) -> DeliveryError:
    code = said.get("errcode")
    words = scrub(str(said.get("errmsg", "")), secret)[:_MOST_TOLD]
    return DeliveryError(
        f"WeChat answered {code}: {words}",
        reason=reason,
        temporary=code in _STALE | _BUSY,
        status_code=answer.status_code,
    )
