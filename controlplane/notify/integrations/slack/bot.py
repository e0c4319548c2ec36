"""Posts and updates messages as a Slack bot, by the Web API."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from ssl import SSLContext
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from controlplane.clock import Duration
from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError, from_status
from controlplane.notify.incident import Reason
from controlplane.notify.integrations.slack.render import history, message
from controlplane.notify.message import Delivery, FailureReason, Notification, Outcome
from controlplane.notify.options import SlackConfig
from controlplane.notify.rendering import Templates

# The message cannot be changed any more: a new one takes its place.
_GONE: Final = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}
)
_TEMPORARY: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"}
    | {"team_added_to_org", "accesslimited"}
)
_AUTH: Final = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
    | {"no_permission", "missing_scope", "not_allowed_token_type", "ekm_access_denied"}
)

Call = Callable[..., Awaitable[Any]]


class SlackBot:
    """One entry of `slack_configs` with a bot's token.

    `app_url` is the address of `chat.postMessage`; the other methods stand
    beside it. `connector` makes what connects, by the outbound policy.
    """

    def __init__(
        self,
        name: str,
        config: SlackConfig,
        templates: Templates,
        connector: Callable[[], aiohttp.BaseConnector],
        *,
        token: Secret,
        app_url: str,
        ssl: SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self.name = name
        self._config = config
        self._templates = templates
        self._connector = connector
        self._token = token
        self._base_url = app_url.removesuffix("chat.postMessage")
        self._ssl = ssl
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._connected: AsyncWebClient | None = None

    @property
    def send_resolved(self) -> bool:
        return self._config.send_resolved

    @property
    def timeout(self) -> Duration:
        return self._config.timeout

    async def send(self, notification: Notification) -> Delivery:
        """Post a message, or bring the group's message up to date. Raises DeliveryError."""
        client = self._client()
        external = notification.external
        if self._config.update_message and external.get("ts"):
            updated = await self._update(client, notification, external)
            if updated is not None:
                return updated
        return await self._post(client, notification)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._session = self._connected = None

    async def _post(self, client: AsyncWebClient, notification: Notification) -> Delivery:
        render = self._templates.renderer(notification)
        answer = await _called(
            client.chat_postMessage,
            channel=render(self._config.channel),
            **_with_text(message(self._config, render)),
        )
        external = {"channel": str(answer["channel"]), "ts": str(answer["ts"])}
        return Delivery(status_code=answer.status_code, external=external)

    async def _update(
        self, client: AsyncWebClient, notification: Notification, external: Mapping[str, str]
    ) -> Delivery | None:
        """Change the group's message and tell its thread what is new; None if it is gone."""
        render = self._templates.renderer(notification)
        body = _with_text(message(self._config, render))
        for key in ("username", "icon_emoji", "icon_url"):
            body.pop(key, None)  # what chat.update does not take
        where = {"channel": external["channel"], "ts": external["ts"]}
        try:
            answer = await _called(client.chat_update, **where, **body)
        except _MessageGone:
            return None
        # An update notifies nobody: what got worse is shown in the channel too.
        await _called(
            client.chat_postMessage,
            channel=external["channel"],
            thread_ts=external["ts"],
            text=history(notification, self._templates),
            reply_broadcast=notification.content.reason is Reason.NEW_ALERTS,
        )
        return Delivery(status_code=answer.status_code, external=dict(external))

    def _client(self) -> AsyncWebClient:
        try:
            token = self._token.reveal().strip()
        except Unavailable as error:
            raise DeliveryError(f"Slack token: {error}", temporary=True) from None
        if self._connected is None:
            self._session = aiohttp.ClientSession(connector=self._connector())
            self._connected = AsyncWebClient(
                base_url=self._base_url,
                session=self._session,
                ssl=self._ssl,
                proxy=self._proxy,
                retry_handlers=[],
            )
        self._connected.token = token
        return self._connected


class _MessageGone(DeliveryError):
    """The message that was to be changed does not exist or may not be changed."""


async def _called(call: Call, **arguments: Any) -> Any:
    """Return Slack's answer to one call. Raises DeliveryError, or _MessageGone."""
    try:
        return await call(**arguments)
    except SlackApiError as error:
        raise _refused(error) from None
    except TimeoutError:
        raise DeliveryError(
            "Slack did not answer in time",
            reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED,
            temporary=True,
            outcome=Outcome.UNKNOWN,
        ) from None
    except aiohttp.ClientConnectorError as error:
        words = f"Slack cannot be reached: {type(error).__name__}"
        raise DeliveryError(words, temporary=True) from None
    except (aiohttp.ClientError, SlackRequestError, asyncio.IncompleteReadError) as error:
        words = f"the connection to Slack failed: {type(error).__name__}"
        raise DeliveryError(words, temporary=True, outcome=Outcome.UNKNOWN) from None


def _refused(error: SlackApiError) -> DeliveryError:
    answer = error.response
    status = answer["status_code"] if isinstance(answer, dict) else answer.status_code
    headers = answer["headers"] if isinstance(answer, dict) else answer.headers
    if not 200 <= status < 300:
        after = str(headers.get("Retry-After", ""))
        return from_status(status, retry_after=float(after) if after.isdigit() else None)
    code = "" if isinstance(answer, dict) else str(answer.get("error", ""))
    temporary = code in _TEMPORARY or not code
    kind = _MessageGone if code in _GONE else DeliveryError
    return kind(
        f"Slack answered {code or 'what is no JSON'}",
        reason=_reason(code),
        temporary=temporary,
        outcome=Outcome.UNKNOWN if temporary and code != "ratelimited" else Outcome.REFUSED,
        status_code=status,
    )


def _reason(code: str) -> FailureReason:
    if code in _AUTH:
        return FailureReason.AUTH_ERROR
    if code == "ratelimited":
        return FailureReason.RATE_LIMITED
    return FailureReason.SERVER_ERROR if code in _TEMPORARY else FailureReason.CLIENT_ERROR


def _with_text(body: dict[str, Any]) -> dict[str, Any]:
    """Return the message with the text that notifications on phones show."""
    return {"text": body["attachments"][0]["fallback"], **body}
