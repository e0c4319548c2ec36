"""Names and addresses of this very machine."""

from ipaddress import IPv6Address, ip_address

from controlplane.errors import Forbidden
from controlplane.model.secret import Secret


def is_loopback(host: str) -> bool:
    """Tell whether a host, a name or an address without brackets, is this machine.

    Only names that must be resolved to loopback count (RFC 6761): others are
    whatever a resolver says.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def check_listen(host: str, token: Secret | None) -> None:
    """Refuse to listen where others could reach a service that asks nobody who they are.

    An empty host means every address. Raises Forbidden.
    """
    if token is None and not is_loopback(host):
        raise Forbidden(
            f"will not listen on {host or 'every address'} without a token: set "
            "CONTROLPLANE_API_TOKEN or CONTROLPLANE_API_TOKEN_FILE, or listen on 127.0.0.1"
        )
