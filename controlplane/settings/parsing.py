"""Texts of the environment to values. Every function raises InvalidInput with what is wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import parse_duration
from controlplane.model.share import Role

_SIZE_UNITS: Final = {"B": 0, "KB": 10, "KIB": 10, "MB": 20, "MIB": 20, "GB": 30, "GIB": 30}


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. An empty host means every address; port 0 means a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def listen(text: str) -> Listen:
    """Read `host:port`, `[::1]:8080`, or `:8080` for every address."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        raise InvalidInput("expected host:port, such as 127.0.0.1:8080")
    if int(port) > 65535 or (":" in host and not bracketed) or any(c.isspace() for c in host):
        raise InvalidInput("expected host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return Listen(host[1:-1] if bracketed else host, int(port))


def url(text: str) -> str:
    """Read an absolute http or https URL; a slash at its end is left out."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("not a valid URL") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise InvalidInput("expected a URL that begins with http:// or https://")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidInput("a URL without credentials, query and fragment is needed")
    return text.rstrip("/")


def duration(text: str) -> Duration:
    """Read a Prometheus duration above 0."""
    length = parse_duration(text)
    if length == 0:
        raise InvalidInput("must be above 0")
    return length


def duration_or_zero(text: str) -> Duration:
    """Read a Prometheus duration; 0 is one."""
    return parse_duration(text)


def size(text: str) -> int:
    """Read bytes: a number alone, or with KB, MB or GB (powers of 1024)."""
    digits = text.rstrip("KMGIBkmgib")
    unit = text[len(digits) :].upper() or "B"
    if not _is_number(digits) or int(digits) == 0 or unit not in _SIZE_UNITS:
        raise InvalidInput("expected a size above 0, such as 512KB or 16MB")
    return int(digits) << _SIZE_UNITS[unit]


def size_or_zero(text: str) -> int:
    """Read bytes, or 0."""
    return 0 if text.strip() == "0" else size(text)


def count(text: str) -> int:
    """Read a whole number above 0."""
    if not _is_number(text) or int(text) == 0:
        raise InvalidInput("expected a whole number above 0")
    return int(text)


def count_or_zero(text: str) -> int:
    """Read a whole number."""
    if not _is_number(text):
        raise InvalidInput("expected a whole number")
    return int(text)


def ratio(text: str) -> float:
    """Read a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise InvalidInput("expected a number from 0 to 1")
    return value


def boolean(text: str) -> bool:
    """Return what `true` or `false` says."""
    if text not in ("true", "false"):
        raise InvalidInput(f"expected true or false, not {text!r}")
    return text == "true"


def name(text: str) -> str:
    """Read a short name that can stand in a label."""
    if not text or len(text) > 253 or not text.isprintable() or any(c.isspace() for c in text):
        raise InvalidInput("expected a name without blanks")
    return text


def networks(text: str) -> tuple[str, ...]:
    """Read addresses and networks, with commas between them, in their usual spelling."""
    try:
        return tuple(str(ip_network(part.strip())) for part in text.split(","))
    except ValueError:
        raise InvalidInput("expected addresses or networks, such as 10.0.0.0/8,::1") from None


def roles(text: str) -> frozenset[Role]:
    """Read roles, with commas between them."""
    known = {role.value: role for role in Role}
    given = [name.strip().lower() for name in text.split(",")]
    if not all(name in known for name in given):
        raise InvalidInput(f"expected some of {', '.join(known)}, with commas")
    return frozenset(known[name] for name in given)


def choice(*names: str) -> Callable[[str], str]:
    """Return what reads one of some words, in any case of letters."""

    def parse(text: str) -> str:
        for known in names:
            if text.lower() == known.lower():
                return known
        raise InvalidInput(f"expected one of {', '.join(names)}")

    return parse


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
