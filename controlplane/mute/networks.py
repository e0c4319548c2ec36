"""Which network something is in, as far as its address or its name tells."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_PREFIX: Final = {4: 16, 6: 32}
# Second labels under which countries register names: `example.co.uk` is one name.
_SHARED: Final = frozenset(
    ("ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "nom", "or", "org", "sch")
)


def network_of(peer: str, endpoint: str) -> str:
    """Return the /16 (IPv4) or /32 (IPv6) of the address that was tried, else the domain.

    `peer` is an address, with or without a port, or empty where no name was
    resolved; `endpoint` is the URL or `host:port` that is watched.
    """
    host = host_of(endpoint)
    for address in (_address(peer), _address(host)):
        if address is not None:
            return str(ipaddress.ip_network((address, _PREFIX[address.version]), strict=False))
    return registrable_domain(host)


def host_of(endpoint: str) -> str:
    """Return the host of a URL or of `host:port`, without brackets."""
    try:
        host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname
    except ValueError:
        host = None
    return host or endpoint


def registrable_domain(host: str) -> str:
    """Return the last two labels of a name, three below a country's shared ones.

    It stands in for the public suffix list: a name below a suffix that is not
    known here counts by two labels, so that networks are counted too few, and
    a storm is told rather than held.
    """
    labels = host.rstrip(".").lower().split(".")
    shared = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED
    return ".".join(labels[-3 if shared else -2 :])


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    for candidate in (text, text.rpartition(":")[0].strip("[]")):
        try:
            return ipaddress.ip_address(candidate.partition("%")[0])
        except ValueError:
            continue
    return None
