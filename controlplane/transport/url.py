"""HTTP URLs taken apart once, for whoever connects by address and asks by name."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from controlplane.errors import InvalidInput

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL. `host` is bare, IPv6 without brackets; `target` begins with `/`.

    `user` and `password` are decoded nowhere and shown nowhere.
    """

    scheme: str
    host: str
    port: int
    target: str
    userinfo: str = ""
    explicit_port: bool = False

    @property
    def authority(self) -> str:
        """What stands in a Host header: the host, and the port where it was written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.explicit_port else host

    def __str__(self) -> str:
        """Return the URL without user and password."""
        return f"{self.scheme}://{self.authority}{self.target}"

    def named(self, host: str) -> str:
        """Return the URL with another host in its place."""
        shown = f"[{host}]" if ":" in host else host
        port = f":{self.port}" if self.explicit_port else ""
        return f"{self.scheme}://{shown}{port}{self.target}"


def parse_url(text: str) -> Url:
    """Take an absolute http or https URL apart. Raises InvalidInput."""
    if any(character <= " " or character == "\x7f" for character in text):
        raise InvalidInput("not a URL: it holds a blank or a control character")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise InvalidInput(f"not a URL: {error}") from None
    if parts.scheme not in _PORTS:
        raise InvalidInput(f"not an http or https URL: scheme {parts.scheme!r}")
    if not host:
        raise InvalidInput("not a URL: it names no host")
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    userinfo = parts.netloc.rpartition("@")[0]
    return Url(
        parts.scheme,
        host,
        port if port is not None else _PORTS[parts.scheme],
        target,
        userinfo,
        port is not None,
    )


def follow(base: Url, location: str) -> Url:
    """Return where a Location header points, seen from `base`. Raises InvalidInput."""
    try:
        parts = urlsplit(location.strip())
        if parts.scheme and not parts.netloc:
            return parse_url(location.strip())  # not for the base's host to stand in
        return parse_url(urljoin(str(base), location.strip()))
    except ValueError as error:
        raise InvalidInput(f"not a URL: {error}") from None
