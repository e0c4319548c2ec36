"""Slack's Web API: calls as a bot, by one `http_config`, and every way in which they fail.

slack-sdk makes the requests, on aiohttp. What it leaves to the environment
(proxies, certificates) is decided here, afresh for each call.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from controlplane.errors import ControlPlaneError, Forbidden, Unavailable
from controlplane.model.secret import Secret
from controlplane.notify.errors import DeliveryError, from_status
from controlplane.notify.integrations.http import retry_after
from controlplane.notify.message import FailureReason, Outcome
from controlplane.transport.contexts import ssl_context
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.proxies import proxy_for
from controlplane.transport.url import parse_url

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
# What Slack shows a picture as, and what it reads to those who cannot see it.
_PICTURE_NAME: Final = "graph.png"
_MOST_WORDS: Final = 1_000
# How much of what it says of a mistake an error repeats.
_MOST_TOLD: Final = 300

Connector = Callable[[], aiohttp.BaseConnector]
Call = Callable[..., Awaitable[Any]]


class MessageGone(DeliveryError):
    """The message that was to be changed does not exist or may not be changed."""


class WebAPI:
    """Calls methods with a bot's token, over connections that are kept.

    `app_url` is the address of `chat.postMessage`; the other methods stand
    beside it. `connector` makes what connects, by the outbound policy.
    """

    def __init__(
        self, config: HTTPClientConfig, connector: Connector, *, token: Secret, app_url: str
    ) -> None:
        self._config = config
        self._connector = connector
        self._token = token
        self._base_url = app_url.removesuffix("chat.postMessage")
        self._session: aiohttp.ClientSession | None = None

    async def post_message(self, *, seconds: float, **arguments: Any) -> Any:
        """Return the answer of `chat.postMessage`; connecting may take so many seconds.

        Raises DeliveryError.
        """
        client = await self._client(seconds)
        return await _called(client.chat_postMessage, **arguments)

    async def update(self, *, seconds: float, **arguments: Any) -> Any:
        """Return the answer of `chat.update`. Raises DeliveryError, or MessageGone."""
        client = await self._client(seconds)
        return await _called(client.chat_update, **arguments)

    async def upload(
        self, png: bytes, *, words: str, channel: str, ts: str, seconds: float
    ) -> None:
        """Put a picture into the thread of a message. Raises DeliveryError.

        Slack wants three steps: an address for the file, the file, and its place.
        """
        client = await self._client(seconds)
        place = await _called(
            client.files_getUploadURLExternal,
            filename=_PICTURE_NAME,
            length=len(png),
            alt_txt=words[:_MOST_WORDS],
        )
        await self._send_file(client, str(place["upload_url"]), png)
        await _called(
            client.files_completeUploadExternal,
            files=[{"id": place["file_id"], "title": words[:_MOST_WORDS]}],
            channel_id=channel,
            thread_ts=ts,
        )

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send_file(self, client: AsyncWebClient, url: str, content: bytes) -> None:
        """POST a file to the address that Slack gave for it; that address is a secret."""
        session = self._session
        if session is None:
            raise DeliveryError("the connections were closed", temporary=True)
        proxy = proxy_for(self._config.proxy, parse_url(url)) or None
        try:
            async with session.post(url, data=content, ssl=client.ssl or True, proxy=proxy) as said:
                status = said.status
        except aiohttp.ClientConnectorError as error:
            raise _not_connected(error) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            words = f"the picture could not be uploaded: {type(error).__name__}"
            raise DeliveryError(words, temporary=True) from None
        if not 200 <= status < 300:
            raise from_status(status, "the picture was not taken")

    async def _client(self, seconds: float) -> AsyncWebClient:
        """Return a client with the secrets, certificates and proxy of this moment."""
        try:
            token, headers = self._token.reveal().strip(), self._headers()
            # Loading certificates takes milliseconds; a context is kept until a file changes.
            context = await asyncio.to_thread(ssl_context, self._config.tls_config)
        except (ControlPlaneError, OSError, ssl.SSLError) as error:
            what = str(error) if isinstance(error, Unavailable) else type(error).__name__
            raise DeliveryError(f"Slack client: {what}", temporary=True) from None
        if self._session is None:
            # The whole attempt is bounded by whoever makes it; connecting is told apart.
            limits = aiohttp.ClientTimeout(total=None, sock_connect=seconds)
            self._session = aiohttp.ClientSession(connector=self._connector(), timeout=limits)
        client = AsyncWebClient(
            token,
            base_url=self._base_url,
            session=self._session,
            ssl=context,
            headers=headers,
            retry_handlers=[],
        )
        # Without one slack-sdk would take the environment's, whatever the configuration says.
        client.proxy = proxy_for(self._config.proxy, parse_url(self._base_url)) or None
        return client

    def _headers(self) -> dict[str, str]:
        return {
            name: ", ".join((*held.values, *(secret.reveal() for secret in held.secrets)))
            for name, held in self._config.http_headers.items()
        }


async def _called(call: Call, **arguments: Any) -> Any:
    try:
        return await call(**arguments)
    except SlackApiError as error:
        raise _refused(error) from None
    except aiohttp.ClientConnectorError as error:
        raise _not_connected(error) from None
    except aiohttp.ClientHttpProxyError as error:
        words = f"the proxy refused to reach Slack: status code {error.status}"
        raise DeliveryError(words, temporary=True) from None
    except (TimeoutError, aiohttp.ServerTimeoutError) as error:
        unsent = isinstance(error, aiohttp.ConnectionTimeoutError)
        raise DeliveryError(
            "Slack did not answer in time",
            reason=FailureReason.CONTEXT_DEADLINE_EXCEEDED,
            temporary=True,
            outcome=Outcome.REFUSED if unsent else Outcome.UNKNOWN,
        ) from None
    except (aiohttp.ClientError, SlackRequestError, asyncio.IncompleteReadError) as error:
        words = f"the connection to Slack failed: {type(error).__name__}"
        raise DeliveryError(words, temporary=True, outcome=Outcome.UNKNOWN) from None


def _not_connected(error: aiohttp.ClientConnectorError) -> DeliveryError:
    """Return the error for a request that never left; the policy's no is for good."""
    if isinstance(error.os_error, Forbidden):
        return DeliveryError(str(error.os_error))
    return DeliveryError(f"Slack cannot be reached: {type(error).__name__}", temporary=True)


def _refused(error: SlackApiError) -> DeliveryError:
    answer = error.response
    plain = isinstance(answer, dict)  # slack-sdk's form of an answer that is no JSON
    status = answer["status_code"] if plain else answer.status_code
    headers = answer["headers"] if plain else answer.headers
    if not 200 <= status < 300:
        return from_status(status, retry_after=retry_after(headers))
    code = "" if plain else str(answer.get("error", ""))
    temporary = code in _TEMPORARY or not code
    kind = MessageGone if code in _GONE else DeliveryError
    return kind(
        f"Slack answered {code or 'what is no JSON'}{'' if plain else _why(answer)}",
        reason=_reason(code),
        temporary=temporary,
        outcome=Outcome.UNKNOWN if temporary and code != "ratelimited" else Outcome.REFUSED,
        status_code=status,
    )


def _why(answer: Any) -> str:
    """Return what Slack says besides its code: which block or argument it is about."""
    said = (answer.get("response_metadata") or {}).get("messages") or ()
    return f": {'; '.join(map(str, said))[:_MOST_TOLD]}" if said else ""


def _reason(code: str) -> FailureReason:
    if code in _AUTH:
        return FailureReason.AUTH_ERROR
    if code == "ratelimited":
        return FailureReason.RATE_LIMITED
    return FailureReason.SERVER_ERROR if code in _TEMPORARY else FailureReason.CLIENT_ERROR
