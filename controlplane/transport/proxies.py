"""Which proxy a request goes through: a URL, `no_proxy`, or the environment's choice."""

import os
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from controlplane.errors import InvalidInput
from controlplane.transport.options import ProxyConfig
from controlplane.transport.url import Url

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def parse_proxy(text: str) -> Url:
    """Take a proxy's URL apart. Raises InvalidInput."""
    parts = urlsplit(text)
    try:
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise InvalidInput(f"not a URL: {error}") from None
    if parts.scheme not in _PORTS or not host:
        raise InvalidInput("a proxy is an http, https, socks5 or socks5h URL")
    userinfo = parts.netloc.rpartition("@")[0]
    return Url(parts.scheme, host, port or _PORTS[parts.scheme], "", userinfo, explicit_port=True)


def proxy_for(config: ProxyConfig, url: Url) -> str:
    """Return the proxy's URL for a request to `url`, or an empty string for none."""
    if config.proxy_from_environment:
        names = [f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper()]
        if "REQUEST_METHOD" in os.environ:
            # Under CGI a client can set HTTP_PROXY, by a header of its own.
            names = [name for name in names if name != "HTTP_PROXY"]
        proxy = next((os.environ[name] for name in names if os.environ.get(name)), "")
        excluded = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if url.host == "localhost" or _is_loopback(url.host):
            return ""
    else:
        proxy, excluded = config.proxy_url, config.no_proxy
    if not proxy or is_excluded(excluded, url.host, url.port):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def is_excluded(no_proxy: str, host: str, port: int) -> bool:
    """Tell whether a comma-separated `no_proxy` names the host (golang.org/x/net/http/httpproxy).

    An entry is `*`, an address, a network, a domain (it and all below it), or a
    domain with a leading dot (only those below it); each may carry a port.
    """
    host = host.rstrip(".").lower()
    return any(
        _matches(entry, host, port) for entry in no_proxy.replace(" ", "").lower().split(",")
    )


def _matches(entry: str, host: str, port: int) -> bool:
    if not entry:
        return False
    if entry == "*":
        return True
    network = _network_has(entry, host)
    if network is not None:
        return network
    name, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdigit() and (":" not in name or name.startswith("[")):
        if int(wanted_port) != port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*")
    if entry.startswith("."):
        return host.endswith(entry)
    return host == entry or host.endswith(f".{entry}")


def _network_has(entry: str, host: str) -> bool | None:
    """Return whether the network `entry` has the address `host`; None when it is none."""
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return None
    try:
        return ip_address(host) in network
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
