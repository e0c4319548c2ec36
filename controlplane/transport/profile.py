"""From the options of an HTTP client to requests: made once, shared by all its targets."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pycurl

from controlplane.errors import InvalidInput
from controlplane.transport.credentials import credentials_for
from controlplane.transport.exchange import Options
from controlplane.transport.options import HTTPClientConfig
from controlplane.transport.proxies import proxy_for
from controlplane.transport.request import Request, Settings
from controlplane.transport.tls import tls_settings
from controlplane.transport.url import Url

Headers = tuple[tuple[str, str], ...]


class Profile:
    """One HTTP client: what a module or a scrape config says, ready for any URL.

    Raises InvalidInput for options that contradict one another.
    """

    __slots__ = ("_config", "_credentials", "_options", "_proxy", "_secret_headers", "_settings")

    def __init__(self, config: HTTPClientConfig, options: Options, *, http3: bool = False) -> None:
        """`options` say what is asked and kept; this adds TLS and the HTTP version."""
        self._config = config
        self._credentials = credentials_for(config)
        tls = config.tls_config
        settings = tls_settings(tls)
        # A key in a file is read by libcurl at each connection; one given as a
        # secret may change between uses, and is revealed at each.
        self._settings: Callable[[], Settings] | None = None
        if tls.key is not None:
            self._settings, settings = (lambda: tls_settings(tls)), ()
        self._options = replace(
            options,
            http_version=_http_version(config, http3=http3),
            settings=options.settings + settings,
        )
        proxies = config.proxy
        used = proxies.proxy_url or proxies.proxy_from_environment
        self._proxy = (lambda url: proxy_for(proxies, url)) if used else None
        secret = any(values.secrets for values in config.http_headers.values())
        self._secret_headers = self._reveal_headers if secret else None

    def request(
        self,
        url: Url,
        headers: Iterable[tuple[str, str]] = (),
        *,
        prefer: str = "ip6",
        fallback: bool = True,
        remote_names: bool = False,
    ) -> Request:
        """Return the request for `url`. Raises InvalidInput for headers that cannot be sent."""
        plain = tuple(
            (name, value)
            for name, values in self._config.http_headers.items()
            for value in values.values
        )
        connect = self._config.proxy.proxy_connect_header
        return Request(
            url,
            self._options,
            headers=(*headers, *plain),
            credentials=self._credentials,
            prefer=prefer,
            fallback=fallback,
            follow_redirects=self._config.follow_redirects,
            server_name=self._config.tls_config.server_name,
            proxy=self._proxy,
            proxy_headers=self._reveal_connect_headers if connect else None,
            remote_names=remote_names,
            settings=self._settings,
            secret_headers=self._secret_headers,
        )

    def _reveal_headers(self) -> Headers:
        return tuple(
            (name, secret.reveal())
            for name, values in self._config.http_headers.items()
            for secret in values.secrets
        )

    def _reveal_connect_headers(self) -> tuple[str, ...]:
        return tuple(
            f"{name}: {secret.reveal()}"
            for name, secrets in self._config.proxy.proxy_connect_header.items()
            for secret in secrets
        )


def _http_version(config: HTTPClientConfig, *, http3: bool) -> int:
    if http3:
        if not pycurl.version_info()[4] & pycurl.VERSION_HTTP3:
            raise InvalidInput("enable_http3: the libcurl here speaks no HTTP/3")
        return int(pycurl.CURL_HTTP_VERSION_3ONLY)
    if config.enable_http2:
        return int(pycurl.CURL_HTTP_VERSION_2TLS)
    return int(pycurl.CURL_HTTP_VERSION_1_1)
