"""Samples about the lookup of a target, alike for all probers that connect."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from controlplane.probes.outcome import SeriesKey

# In the order of the values that `lookup_values` returns.
LOOKUP_SERIES: Final[tuple[SeriesKey, ...]] = (
    ("probe_dns_lookup_time_seconds", ()),
    ("probe_ip_protocol", ()),
    ("probe_ip_addr_hash", ()),
)


def lookup_values(address: str, version: int, seconds: float) -> tuple[float, float, float]:
    """Return the values of LOOKUP_SERIES; without an address the last two are 0."""
    return seconds, float(version), address_hash(address) if address else 0.0


@lru_cache(maxsize=65_536)
def address_hash(address: str) -> float:
    """Return FNV-1a, 32 bits, over the bytes of an address, as blackbox_exporter tells it."""
    digest = 2166136261
    for byte in ip_address(address.partition("%")[0]).packed:
        digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
    return float(digest)
