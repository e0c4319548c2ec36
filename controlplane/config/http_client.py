"""How an HTTP server is reached: `http_config`, and the same keys inline in modules and scrapes.

Keys, defaults and refusals are those of prometheus/common, config/http_config.go.
"""

from collections.abc import Mapping
from typing import Any, Final

from controlplane.config.kinds import BOOLEAN, NAME, TEXT, TEXT_MAP, TEXTS, member
from controlplane.config.places import PATH, PROXY_URL, SECRET, SECRET_FILE, URL
from controlplane.config.schema import OMITTED, Key, ListOf, Made, MapOf, Section
from controlplane.errors import InvalidInput
from controlplane.model.secret import REDACTED, Secret
from controlplane.settings.secret_files import FileSecret
from controlplane.transport.options import (
    Authorization,
    BasicAuth,
    HeaderValues,
    HTTPClientConfig,
    OAuth2,
    ProxyConfig,
    TLSConfig,
    TLSVersion,
)

_PROMETHEUS: Final = "a Prometheus key"
_GRANT_TYPE: Final = "client_credentials"

# Headers that the client sets itself, or that change the connection.
_RESERVED: Final = frozenset(
    {
        "authorization",
        "host",
        "content-encoding",
        "content-length",
        "content-type",
        "user-agent",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "www-authenticate",
        "accept-encoding",
        "x-prometheus-remote-write-version",
        "x-prometheus-remote-read-version",
        "x-prometheus-scrape-timeout-seconds",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-content-sha256",
    }
)


def _tls(**values: Any) -> TLSConfig:
    config = TLSConfig(**values)
    for inline, file in (("ca", "ca_file"), ("cert", "cert_file"), ("key", "key_file")):
        if getattr(config, inline) and getattr(config, file):
            raise InvalidInput(
                f"at most one of {inline} & {file} must be configured", pointer=f"/{file}"
            )
    certificate = config.cert or config.cert_file
    key = config.key or config.key_file
    if certificate and not key:
        raise InvalidInput("a client certificate needs key or key_file")
    if key and not certificate:
        raise InvalidInput("a client key needs cert or cert_file")
    return config


TLS: Final = Section(
    "tls_config",
    _tls,
    {
        "ca": Key(TEXT),
        "ca_file": Key(PATH),
        "cert": Key(TEXT),
        "cert_file": Key(PATH),
        "key": Key(SECRET),
        "key_file": Key(PATH),
        "server_name": Key(TEXT),
        "insecure_skip_verify": Key(BOOLEAN),
        "min_version": Key(member(TLSVersion)),
        "max_version": Key(member(TLSVersion)),
    },
    unsupported=dict.fromkeys(("ca_ref", "cert_ref", "key_ref"), _PROMETHEUS),
)

BASIC_AUTH: Final = Section(
    "basic_auth",
    BasicAuth,
    {
        "username": Key(Made(TEXT, str, lambda name: OMITTED if _in_file(name) else name)),
        "username_file": Key(SECRET_FILE, field="username"),
        "password": Key(SECRET),
        "password_file": Key(SECRET_FILE, field="password"),
    },
    unsupported=dict.fromkeys(("username_ref", "password_ref"), _PROMETHEUS),
)


def _in_file(value: object) -> bool:
    return isinstance(value, FileSecret)


def _authorization(type: str = "Bearer", credentials: Secret | None = None) -> Authorization:  # noqa: A002 - the key's name
    scheme = type.strip() or "Bearer"
    if scheme.lower() == "basic":
        raise InvalidInput('authorization type cannot be "basic", use basic_auth', pointer="/type")
    return Authorization(scheme, credentials)


AUTHORIZATION: Final = Section(
    "authorization",
    _authorization,
    {
        "type": Key(TEXT),
        "credentials": Key(SECRET),
        "credentials_file": Key(SECRET_FILE, field="credentials"),
    },
    unsupported={"credentials_ref": _PROMETHEUS},
)


def _bearer(token: Secret) -> Authorization:
    return Authorization("Bearer", token)


def _proxy(**values: Any) -> ProxyConfig:
    config = ProxyConfig(**values)
    if config.proxy_from_environment and (config.proxy_url or config.no_proxy):
        raise InvalidInput(
            "if proxy_from_environment is configured, proxy_url and no_proxy must not be",
            pointer="/proxy_from_environment",
        )
    if config.no_proxy and not config.proxy_url:
        raise InvalidInput("if no_proxy is configured, proxy_url must be too", pointer="/no_proxy")
    if config.proxy_connect_header and not (config.proxy_url or config.proxy_from_environment):
        raise InvalidInput(
            "if proxy_connect_header is configured, a proxy must be too",
            pointer="/proxy_connect_header",
        )
    return config


PROXY: Final = Section(
    "proxy_config",
    _proxy,
    {
        "proxy_url": Key(PROXY_URL),
        "no_proxy": Key(TEXT),
        "proxy_from_environment": Key(BOOLEAN),
        "proxy_connect_header": Key(
            MapOf("a mapping of headers", ListOf("a list of secrets", SECRET))
        ),
    },
)


def _grant_type(name: str) -> str:
    if name != _GRANT_TYPE:
        raise InvalidInput(f"{name}: {_PROMETHEUS}'s value, not supported here")
    return name


def _oauth2(grant_type: str = _GRANT_TYPE, **values: Any) -> OAuth2:
    del grant_type  # there is one
    return OAuth2(**values)


OAUTH2: Final = Section(
    "oauth2",
    _oauth2,
    {
        "client_id": Key(NAME, required=True),
        "client_secret": Key(SECRET),
        "client_secret_file": Key(SECRET_FILE, field="client_secret"),
        "token_url": Key(URL, required=True),
        "grant_type": Key(Made(TEXT, _grant_type)),
        "scopes": Key(TEXTS),
        "endpoint_params": Key(TEXT_MAP),
        "tls_config": Key(TLS),
    },
    inlines={"proxy": PROXY},
    unsupported=dict.fromkeys(
        (
            "client_secret_ref",
            "client_certificate_key_id",
            "client_certificate_key",
            "client_certificate_key_file",
            "client_certificate_key_ref",
            "signature_algorithm",
            "iss",
            "audience",
            "claims",
        ),
        _PROMETHEUS,
    ),
)


def _header(
    values: tuple[str, ...] = (), secrets: tuple[Secret, ...] = (), files: tuple[Secret, ...] = ()
) -> HeaderValues:
    return HeaderValues(values, secrets + files)


def _show_header(header: HeaderValues) -> object:
    plain = {
        "values": list(header.values),
        "secrets": [REDACTED for secret in header.secrets if not _in_file(secret)],
        "files": [str(value.path) for value in header.secrets if isinstance(value, FileSecret)],
    }
    return {name: shown for name, shown in plain.items() if shown}


def check_header(name: str) -> str:
    """Return a header's name that a request may carry. Raises InvalidInput."""
    if not name or not name.isascii() or any(letter in name for letter in ' \t\r\n:"'):
        raise InvalidInput(f"not a header's name: {name!r}")
    return name


def check_free_header(name: str) -> str:
    """Return a header's name that a configuration may set. Raises InvalidInput."""
    if name.lower() in _RESERVED:
        raise InvalidInput(f"setting the header {name!r} is not allowed")
    return check_header(name)


HEADER: Final = Section(
    "http_headers",
    _header,
    {
        "values": Key(TEXTS),
        "secrets": Key(ListOf("a list of secrets", SECRET)),
        "files": Key(ListOf("a list of paths", SECRET_FILE)),
    },
)
_HEADERS: Final = MapOf(
    "a mapping of headers",
    Made(HEADER, lambda header: header, _show_header),
    check_free_header,
)


def _http_client(**values: Any) -> HTTPClientConfig:
    config = HTTPClientConfig(**values)
    given = (config.basic_auth, config.authorization, config.oauth2)
    if sum(way is not None for way in given) > 1:
        raise InvalidInput(
            "at most one of basic_auth, oauth2, authorization, bearer_token & bearer_token_file "
            "must be configured"
        )
    return config


_HTTP_KEYS: Final[Mapping[str, Key]] = {
    "basic_auth": Key(BASIC_AUTH),
    "authorization": Key(AUTHORIZATION),
    "bearer_token": Key(Made(SECRET, _bearer, lambda _: OMITTED), field="authorization"),
    "bearer_token_file": Key(Made(SECRET_FILE, _bearer, lambda _: OMITTED), field="authorization"),
    "oauth2": Key(OAUTH2),
    "tls_config": Key(TLS),
    "follow_redirects": Key(BOOLEAN),
    "enable_http2": Key(BOOLEAN),
    "http_headers": Key(_HEADERS),
}

HTTP_CLIENT: Final = Section("http_config", _http_client, _HTTP_KEYS, inlines={"proxy": PROXY})
