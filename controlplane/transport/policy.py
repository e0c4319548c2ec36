"""Which addresses may be spoken to: asked after name resolution, at every connection."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from controlplane.errors import Forbidden, InvalidInput

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# Link-local, where clouds keep their metadata services, and the metadata
# addresses that lie elsewhere (AWS over IPv6, Alibaba Cloud, Oracle Cloud).
DEFAULT_DENY: Final = (
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254/128",
    "100.100.100.200/32",
    "192.0.0.192/32",
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


class OutboundPolicy:
    """Denies networks. Loopback and private networks are allowed unless listed."""

    __slots__ = ("_networks", "_verdicts")

    _KNOWN = 65_536  # verdicts remembered; the table starts anew beyond

    def __init__(self, deny: Sequence[str] = DEFAULT_DENY) -> None:
        self._networks = tuple(_parse(text) for text in deny)
        self._verdicts: dict[str, bool] = {}

    def replace(self, deny: Sequence[str]) -> None:
        """Deny other networks from now on. Raises InvalidInput, and then changes nothing."""
        self._networks = tuple(_parse(text) for text in deny)
        self._verdicts = {}

    def allows(self, address: str) -> bool:
        """Tell whether an IP address (text, no zone needed) may be connected to."""
        verdict = self._verdicts.get(address)
        if verdict is None:
            if len(self._verdicts) >= self._KNOWN:
                self._verdicts.clear()
            verdict = self._verdicts[address] = not self._denied(address)
        return verdict

    def check(self, address: str) -> None:
        """Raise Forbidden for an address that is denied."""
        if not self.allows(address):
            raise Forbidden(f"the outbound policy denies {address}")

    def _denied(self, text: str) -> bool:
        # Several spellings reach one host: each of them is held against the list.
        return any(
            address.version == network.version and address in network
            for address in _spellings(ip_address(text.partition("%")[0]))
            for network in self._networks
        )


def _parse(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"not a network: {error}") from None


def _spellings(address: Address) -> tuple[Address, ...]:
    """Return the address and the IPv4 one that it carries, if any (mapped, 6to4, NAT64)."""
    if not isinstance(address, IPv6Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address, address.ipv4_mapped)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address in _NAT64 or int(address) >> 32 == 0:
        return (address, IPv4Address(int(address) & 0xFFFFFFFF))
    return (address,)


def is_numeric(host: str) -> bool:
    """Tell whether a host is an address in some spelling, so that it is no name of the DNS.

    As browsers tell (WHATWG URL, "ends in a number"): some programs read
    `2130706433` and `0x7f.1` as 127.0.0.1.
    """
    last = host.removesuffix(".").rpartition(".")[2].lower()
    return ":" in host or (last.isascii() and last.isdigit()) or last.startswith("0x")
