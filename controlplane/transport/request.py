"""A request prepared once and sent often, and the exchange that each hop of it becomes."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import pycurl

from controlplane.errors import InvalidInput
from controlplane.transport.exchange import Exchange, Options
from controlplane.transport.url import Url

if TYPE_CHECKING:
    from controlplane.transport.client import Client

Settings = tuple[tuple[int, object], ...]


class Credentials(Protocol):
    """Where an Authorization header comes from."""

    def header(self) -> str | None:
        """Return the header's value as of now; None when `refresh` must be awaited first.

        Raises Unavailable when a secret cannot be read.
        """
        ...

    async def refresh(self, client: "Client", timeout: float) -> None:
        """Get what `header` needs. Raises Unavailable."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """What is asked. Raises InvalidInput for headers that cannot be sent.

    A Host among the `headers` also names the host for TLS, `server_name` does
    so before it. `proxy` says which proxy a URL goes through, "" for none; with
    `remote_names` the proxy resolves the target's name, and we do not.
    `settings` and `secret_headers` make what holds secrets, at each use.
    """

    url: Url
    options: Options = field(default_factory=Options)
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    prefer: str = "ip6"
    fallback: bool = True
    follow_redirects: bool = True
    server_name: str = ""
    proxy: Callable[[Url], str] | None = None
    proxy_headers: Callable[[], tuple[str, ...]] | None = None
    remote_names: bool = False
    settings: Callable[[], Settings] | None = None
    secret_headers: Callable[[], tuple[tuple[str, str], ...]] | None = None
    # The URL that libcurl is given, whose host is the one for TLS, and the header lines.
    _named_host: str = field(init=False, repr=False)
    _named_url: str = field(init=False, repr=False)
    _lines: tuple[str, ...] = field(init=False, repr=False)
    # Nothing is to be made anew at each use: neither credentials nor proxy nor secrets.
    plain: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        url = self.url
        host_header = next((value for name, value in self.headers if name.lower() == "host"), "")
        named = url.host
        if url.scheme == "https":
            named = self.server_name or host_of(host_header) or url.host
        lines = [header_line(name, value) for name, value in self.headers if name.lower() != "host"]
        # What libcurl would add by itself and nobody asked for.
        given = {name.lower() for name, _ in self.headers}
        unasked = ["Accept", "User-Agent"]
        if self.options.body is not None:
            unasked += ["Content-Type", "Expect"]
        lines += [f"{name}:" for name in unasked if name.lower() not in given]
        if named != url.host or host_header:
            lines.append(header_line("Host", host_header or url.authority))
        set_field = object.__setattr__
        set_field(self, "_named_host", named)
        set_field(self, "_named_url", url.named(named))
        set_field(self, "_lines", _alike(tuple(lines)))
        makes = (self.credentials, self.proxy, self.settings, self.secret_headers)
        plain = all(each is None for each in makes) and not url.userinfo
        set_field(self, "plain", plain)

    def plain_exchange(
        self, address: str, deadline: float, done: Callable[[Exchange], None]
    ) -> Exchange:
        """Return what `exchange` does for a `plain` request."""
        connect_to = "" if address == self._named_host else connect_to_address(address)
        return Exchange(
            self._named_url,
            self.options,
            deadline,
            done,
            headers=self._lines,
            connect_to=connect_to,
        )

    def exchange(
        self,
        url: Url,
        address: str,
        deadline: float,
        done: Callable[[Exchange], None],
        *,
        authorization: str = "",
        cookie: str = "",
        proxy: Url | None = None,
        proxy_address: str = "",
    ) -> Exchange:
        """Return the exchange of a hop to `address`, which the name was resolved to.

        Raises InvalidInput, and Unavailable when a secret cannot be read.
        """
        lines = self._lines
        if not authorization and url.userinfo:
            authorization = basic_authorization(*split_userinfo(url.userinfo))
        if authorization:
            lines += (header_line("Authorization", authorization),)
        if cookie:
            lines += (header_line("Cookie", cookie),)
        if self.secret_headers is not None:
            lines += tuple(header_line(name, value) for name, value in self.secret_headers())
        options = self.options
        if self.settings is not None:
            options = replace(options, settings=options.settings + self.settings(), reusable=False)
        if proxy is not None:
            return self._proxied(
                Exchange("", options, deadline, done, headers=lines), address, proxy, proxy_address
            )
        connect_to = "" if address == self._named_host else connect_to_address(address)
        return Exchange(
            self._named_url, options, deadline, done, headers=lines, connect_to=connect_to
        )

    def _proxied(
        self, exchange: Exchange, address: str, proxy: Url, proxy_address: str
    ) -> Exchange:
        """Send it through a proxy: a tunnel for https, an absolute URL for http.

        The proxy keeps its name, for TLS, and gets its address by RESOLVE.
        """
        shown = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        user = f"{proxy.userinfo}@" if proxy.userinfo else ""
        # Without an address the proxy looks the name up; of plain socks5 libcurl would do it.
        scheme = "socks5h" if proxy.scheme == "socks5" and not address else proxy.scheme
        settings: Settings = ((pycurl.PROXY, f"{scheme}://{user}{shown}:{proxy.port}"),)
        if proxy.host != proxy_address:
            settings += ((pycurl.RESOLVE, [f"+{proxy.host}:{proxy.port}:{proxy_address}"]),)
        if self.proxy_headers is not None:
            settings += (
                (pycurl.HEADEROPT, pycurl.HEADER_SEPARATE),
                (pycurl.PROXYHEADER, list(self.proxy_headers())),
            )
        exchange.options = replace(
            exchange.options, settings=exchange.options.settings + settings, reusable=False
        )
        exchange.url = self._named_url
        if not address:
            return exchange
        if self.url.scheme == "https" or proxy.scheme.startswith("socks"):
            exchange.connect_to = connect_to_address(address)
        else:
            exchange.url = self.url.named(address)
            if not any(line.lower().startswith("host:") for line in exchange.headers):
                exchange.headers += (header_line("Host", self.url.authority),)
        return exchange


@lru_cache(maxsize=4096)
def _alike(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same tuple for the same lines: a handle that has them keeps them."""
    return lines


@lru_cache(maxsize=1024)
def as_get(options: Options) -> Options:
    """Return the options of the GET that a redirect turns a request into."""
    return replace(options, method="GET", body=None)


def header_line(name: str, value: str) -> str:
    """Return a header as libcurl takes it. Raises InvalidInput."""
    if any(character in "\r\n\0" for character in name + value) or not name or ":" in name:
        raise InvalidInput(f"header {name[:64]!r} cannot be sent")
    return f"{name}: {value}" if value.strip() else f"{name};"


def host_of(host_header: str) -> str:
    """Return the host of a Host header, without port and brackets."""
    if host_header.startswith("["):
        return host_header[1:].partition("]")[0]
    return host_header.partition(":")[0]


@lru_cache(maxsize=65_536)
def connect_to_address(address: str) -> str:
    """Return what makes libcurl connect to `address`, whatever the URL says."""
    return f"::[{address}]:" if ":" in address else f"::{address}:"


def split_userinfo(userinfo: str) -> tuple[str, str]:
    """Return user and password of a URL, decoded."""
    user, _, password = userinfo.partition(":")
    return unquote(user), unquote(password)


def basic_authorization(user: str, password: str) -> str:
    """Return the value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
