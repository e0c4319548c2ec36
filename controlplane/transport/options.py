"""The options of an HTTP client, spelled as Prometheus' `http_config` spells them.

They stand inline in blackbox modules and scrape configs, and under
`http_config` at receivers (prometheus/common, config/http_config.go). Secrets
arrive as `Secret`: what upstream offers as `x` and `x_file` is one field `x`,
whose `Secret` reads its file anew when that changes. `bearer_token` and
`bearer_token_file` arrive as `authorization`. The `*_ref` keys need a secret
manager, which none of these programs ship.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controlplane.model.secret import Secret


class TLSVersion(StrEnum):
    """The names that `min_version` and `max_version` take."""

    TLS10 = "TLS10"
    TLS11 = "TLS11"
    TLS12 = "TLS12"
    TLS13 = "TLS13"


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """Trust, identity and versions. At most one of `x` and `x_file` is set.

    `ca` and `cert` are PEM text; `*_file` are paths, read anew at each use.
    """

    ca: str = ""
    ca_file: str = ""
    cert: str = ""
    cert_file: str = ""
    key: Secret | None = None
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: TLSVersion | None = None
    max_version: TLSVersion | None = None


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """HTTP basic authentication; `username_file` arrives as a `Secret` username."""

    username: str | Secret = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """An `Authorization` header: its type (never `Basic`) and credentials."""

    type: str = "Bearer"
    credentials: Secret | None = None


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Which proxy, if any. `proxy_url` may carry user and password, so it is not shown."""

    proxy_url: str = field(default="", repr=False)
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: Mapping[str, tuple[Secret, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Client credentials by which a bearer token is fetched from `token_url`.

    That may carry a password, so it is not shown.
    """

    client_id: str
    token_url: str = field(repr=False)
    client_secret: Secret | None = None
    scopes: tuple[str, ...] = ()
    endpoint_params: Mapping[str, str] = field(default_factory=dict)
    tls_config: TLSConfig = TLSConfig()
    proxy: ProxyConfig = ProxyConfig()


@dataclass(frozen=True, slots=True)
class HeaderValues:
    """The values of one header of `http_headers`; `files` arrive among `secrets`."""

    values: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class HTTPClientConfig:
    """One HTTP client. At most one of `basic_auth`, `authorization`, `oauth2` is set.

    The keys of `proxy` stand beside the others in YAML.
    """

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    tls_config: TLSConfig = TLSConfig()
    follow_redirects: bool = True
    enable_http2: bool = True
    proxy: ProxyConfig = ProxyConfig()
    http_headers: Mapping[str, HeaderValues] = field(default_factory=dict)
