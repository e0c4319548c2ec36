"""Authorization headers: basic, bearer and the like, and OAuth 2.0 client credentials."""

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from controlplane.errors import Unavailable
from controlplane.model.secret import Secret
from controlplane.transport.exchange import Options
from controlplane.transport.options import Authorization, BasicAuth, HTTPClientConfig, OAuth2
from controlplane.transport.proxies import proxy_for
from controlplane.transport.request import Credentials, Request, basic_authorization
from controlplane.transport.tls import tls_settings
from controlplane.transport.url import parse_url

if TYPE_CHECKING:
    from controlplane.transport.client import Client

# A token is asked for anew this many seconds before it ends.
_EARLY_SECONDS: Final = 10.0
_LONGEST_TOKEN_ANSWER: Final = 1 << 20


def credentials_for(config: HTTPClientConfig) -> Credentials | None:
    """Return where the Authorization header comes from, None when there is none."""
    if config.basic_auth is not None:
        return BasicCredentials(config.basic_auth)
    if config.authorization is not None:
        return HeaderCredentials(config.authorization)
    if config.oauth2 is not None:
        return OAuth2Credentials(config.oauth2)
    return None


def _reveal(secret: str | Secret | None) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret or ""


class BasicCredentials:
    """User and password."""

    __slots__ = ("_auth",)

    def __init__(self, auth: BasicAuth) -> None:
        self._auth = auth

    def header(self) -> str | None:
        return basic_authorization(_reveal(self._auth.username), _reveal(self._auth.password))

    async def refresh(self, client: "Client", timeout: float) -> None:
        """Nothing to get: the secrets are read at each use."""


class HeaderCredentials:
    """A type and a secret, such as a bearer token."""

    __slots__ = ("_authorization",)

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    def header(self) -> str | None:
        return f"{self._authorization.type} {_reveal(self._authorization.credentials)}".strip()

    async def refresh(self, client: "Client", timeout: float) -> None:
        """Nothing to get: the secret is read at each use."""


class OAuth2Credentials:
    """A bearer token fetched with client credentials (RFC 6749, 4.4) and kept until it ends."""

    __slots__ = ("_client", "_config", "_expires_at", "_token")

    def __init__(self, config: OAuth2) -> None:
        self._config = config
        self._token = ""
        self._expires_at = float("-inf")
        self._client: Client | None = None

    def header(self) -> str | None:
        if self._client is None or self._client.clock.monotonic() >= self._expires_at:
            return None
        return f"Bearer {self._token}"

    async def refresh(self, client: "Client", timeout: float) -> None:
        """Ask the token endpoint. Raises Unavailable without the secret's text."""
        config = self._config
        form = {"grant_type": "client_credentials", **config.endpoint_params}
        if config.scopes:
            form["scope"] = " ".join(config.scopes)
        request = Request(
            parse_url(config.token_url),
            Options(
                method="POST",
                body=urlencode(form).encode(),
                settings=tls_settings(config.tls_config),
                limit=_LONGEST_TOKEN_ANSWER,
                keep=_LONGEST_TOKEN_ANSWER,
                reusable=False,
            ),
            headers=(("Content-Type", "application/x-www-form-urlencoded"),),
            credentials=BasicCredentials(BasicAuth(config.client_id, config.client_secret)),
            proxy=lambda url: proxy_for(config.proxy, url),
        )
        call = await client.fetch(request, timeout)
        exchange = call.final
        if call.failure is not None or exchange is None:
            raise Unavailable(f"no token from {request.url}: {call.error}")
        if exchange.status != 200:
            raise Unavailable(f"no token from {request.url}: status {exchange.status}")
        self._keep(exchange.body, client)

    def _keep(self, body: bytes, client: "Client") -> None:
        try:
            answer = json.loads(body)
            token = answer["access_token"]
            lifetime = float(answer.get("expires_in") or "inf")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Unavailable("the token endpoint's answer holds no token") from None
        if not isinstance(token, str) or not token.isprintable():
            raise Unavailable("the token endpoint's answer holds no token")
        self._token, self._client = token, client
        self._expires_at = client.clock.monotonic() + lifetime - _EARLY_SECONDS
