"""How to reach somebody else's HTTP server, as `http_config` says it in Prometheus' files.

`*_file` keys have become a `Secret` that reads its file anew at each use;
certificates stay paths, because TLS libraries want paths.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """A user and a password; either may stand in a file."""

    username: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class Authorization:
    """The `Authorization` header: a scheme and what follows it."""

    credentials: Secret
    type: str = "Bearer"

    def __post_init__(self) -> None:
        if self.type.strip().lower() == "basic":
            raise InvalidInput(
                'authorization type cannot be "basic", use basic_auth instead', pointer="/type"
            )


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """`tls_config`: whom to trust, who we are, and which versions are spoken."""

    ca: str = ""
    ca_file: str = ""
    cert: str = ""
    cert_file: str = ""
    key: Secret | None = None
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""  # TLS10, TLS11, TLS12, TLS13
    max_version: str = ""

    def __post_init__(self) -> None:
        for inline, file in (("ca", "ca_file"), ("cert", "cert_file"), ("key", "key_file")):
            if getattr(self, inline) and getattr(self, file):
                raise InvalidInput(f"at most one of {inline} & {file} must be configured")
        if bool(self.cert or self.cert_file) != bool(self.key or self.key_file):
            raise InvalidInput("a client certificate needs both its certificate and its key")
        for name in ("min_version", "max_version"):
            if getattr(self, name) not in ("", "TLS10", "TLS11", "TLS12", "TLS13"):
                raise InvalidInput(
                    f"unknown TLS version {getattr(self, name)!r}", pointer=f"/{name}"
                )


@dataclass(frozen=True, slots=True)
class OAuth2:
    """The client credentials grant of RFC 6749, section 4.4."""

    client_id: str
    client_secret: Secret
    token_url: str
    scopes: tuple[str, ...] = ()
    endpoint_params: Mapping[str, str] = field(default_factory=dict)
    tls_config: TlsOptions = TlsOptions()
    proxy_url: str = ""


@dataclass(frozen=True, slots=True)
class HttpClientOptions:
    """`http_config`, and the keys of a scrape or a module that are the same."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    oauth2: OAuth2 | None = None
    tls_config: TlsOptions = TlsOptions()
    follow_redirects: bool = True
    enable_http2: bool = True
    proxy_url: str = ""
    no_proxy: str = ""
    proxy_from_environment: bool = False
    proxy_connect_header: Mapping[str, tuple[Secret, ...]] = field(default_factory=dict)
    http_headers: Mapping[str, tuple[Secret, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [self.basic_auth, self.authorization, self.oauth2]
        if sum(way is not None for way in given) > 1:
            raise InvalidInput(
                "at most one of basic_auth, oauth2 & authorization must be configured"
            )
        if self.proxy_from_environment and (self.proxy_url or self.no_proxy):
            raise InvalidInput(
                "if proxy_from_environment is configured, proxy_url and no_proxy must not be"
            )
        if not self.proxy_url and not self.proxy_from_environment:
            if self.no_proxy:
                raise InvalidInput("if no_proxy is configured, proxy_url must be too")
            if self.proxy_connect_header:
                raise InvalidInput("if proxy_connect_header is configured, a proxy must be too")


HTTP_DEFAULTS: Final = HttpClientOptions()
