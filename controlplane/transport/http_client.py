"""httpx over our own engine: one resolver, one outbound policy, one way out for everything.

For what is not hot: receivers, webhooks, tokens. Each request has one deadline
for its whole way, and no more of an answer is kept than the bound.
"""

import socket
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx

from controlplane import __version__
from controlplane.errors import Forbidden, InvalidInput
from controlplane.transport.client import Call, Client
from controlplane.transport.dial import dial
from controlplane.transport.exchange import Failure, Options
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.profile import Profile
from controlplane.transport.response import decoded_headers
from controlplane.transport.socket_guard import Watch, guarded
from controlplane.transport.url import parse_url

if TYPE_CHECKING:
    import aiohttp

_SECONDS: Final = 10.0
_MOST_KEPT: Final = 1 << 20
_USER_AGENT: Final = f"controlplane/{__version__}"
# What libcurl writes itself, from the URL and the body.
_WRITTEN_FOR_US: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
)
# Nothing has been sent when these happen.
_BEFORE_SENDING: Final = frozenset(
    (Failure.DNS, Failure.CONNECT, Failure.TLS, Failure.PROXY, Failure.AUTH, Failure.OVERLOAD)
)


class HTTPClients:
    """Makes clients that resolve, check and connect as probes do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def connector(self) -> "aiohttp.BaseConnector":
        """Return what an aiohttp session connects by, such as slack-sdk's."""
        # Only who speaks aiohttp already pays for its import.
        from controlplane.transport.aiohttp_guard import (  # noqa: PLC0415 - as said
            guarded_connector,
        )

        return guarded_connector(self._client.resolver, self._client.policy)

    async def dial(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """Return a connected socket, for what does not speak HTTP (`dial.dial`)."""
        return await dial(self._client.resolver, self._client.policy, host, port, timeout=timeout)

    def guarded(self) -> AbstractContextManager[Watch]:
        """Return a block in which the sockets of a library are held against the policy.

        For what is run in a thread of its own (`socket_guard.guarded`).
        """
        return guarded(self._client.policy)

    def client(self, config: HTTPClientConfig, *, most: int = _MOST_KEPT) -> httpx.AsyncClient:
        """Return a client for one configuration. Raises InvalidInput for one that is none.

        Its requests raise Forbidden for an address that the policy denies,
        AnswerTooLarge for a body of more than `most` bytes, and httpx' own
        errors for the rest.
        """
        return httpx.AsyncClient(
            transport=EngineTransport(self._client, config, most),
            timeout=_SECONDS,
            trust_env=False,
            # Hops are followed below, each checked on its own.
            follow_redirects=False,
            headers={"User-Agent": _USER_AGENT},
        )


class AnswerTooLarge(httpx.ReadError):
    """The body of an answer is over the bound."""


class EngineTransport(httpx.AsyncBaseTransport):
    """Sends httpx' requests through the libcurl engine."""

    def __init__(self, client: Client, config: HTTPClientConfig, most: int = _MOST_KEPT) -> None:
        self._client = client
        self._profile = Profile(config, Options(fresh=False, limit=most, keep=most))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the last hop. Raises Forbidden, httpx.TransportError."""
        body = await request.aread()
        try:
            asked = self._profile.request(
                parse_url(str(request.url)),
                [
                    (name, value)
                    for name, value in request.headers.items()
                    if name not in _WRITTEN_FOR_US
                ],
                # A name with addresses of both kinds may have its server on the older kind only.
                prefer="ip4",
                # Behind a proxy a name may be one that only the proxy knows.
                remote_names=True,
            )
        except InvalidInput as error:
            raise httpx.UnsupportedProtocol(error.reason) from None
        # Bodies differ from request to request: such a handle is of no use to the next.
        options = replace(asked.options, method=request.method, body=body or None, reusable=False)
        call = await self._client.fetch(replace(asked, options=options), _seconds(request))
        _raise_failure(call)
        final = call.final
        if final is None:
            raise httpx.RemoteProtocolError("no response")
        headers = decoded_headers(final.header_lines)
        return httpx.Response(final.status, headers=headers, content=final.body)


def _seconds(request: httpx.Request) -> float:
    read: float | None = request.extensions.get("timeout", {}).get("read")
    return _SECONDS if read is None else read


def _raise_failure(call: Call) -> None:
    """Raise what httpx would, so that callers can tell what cannot have arrived."""
    failure, words = call.failure, call.error
    if failure is None:
        return
    if failure is Failure.POLICY:
        raise Forbidden(words)
    if failure is Failure.CONFIG:
        raise httpx.UnsupportedProtocol(words)
    if failure is Failure.REDIRECT:
        raise httpx.TooManyRedirects(words)
    if failure is Failure.SIZE:
        raise AnswerTooLarge(words)
    if failure in _BEFORE_SENDING:
        raise httpx.ConnectError(words)
    if failure is Failure.TIMEOUT:
        raise httpx.ReadTimeout(words) if _may_be_sent(call) else httpx.ConnectTimeout(words)
    raise httpx.ReadError(words)


def _may_be_sent(call: Call) -> bool:
    """Tell whether the connection stood, so that the request may have left.

    libcurl gives no time of connecting for one that is used again, only its peer.
    """
    exchange = call.final
    if exchange is None:
        return False
    if not exchange.connected:
        return bool(exchange.peer)
    return exchange.secured > 0 or not exchange.url.startswith("https:")
