"""Which network a target is in."""

import pytest

from controlplane.mute.networks import network_of


@pytest.mark.parametrize(
    ("peer", "endpoint", "network"),
    [
        ("10.1.2.3", "http://shop.example/", "10.1.0.0/16"),
        ("10.1.2.3:5432", "db.example:5432", "10.1.0.0/16"),
        ("2001:db8:7::1", "https://shop.example/", "2001:db8::/32"),
        ("[2001:db8:7::1]:5432", "db.example:5432", "2001:db8::/32"),
        ("fe80::1%eth0", "db.example:5432", "fe80::/32"),
        ("", "http://192.168.7.8:80/health", "192.168.0.0/16"),
        ("", "[2001:db8::1]:5432", "2001:db8::/32"),
        ("", "https://api.shop.example.com/health", "example.com"),
        ("", "api.shop.example.co.uk:443", "example.co.uk"),
        ("", "Example.CO.UK.:443", "example.co.uk"),
        ("", "co.uk:443", "co.uk"),
        ("", "db:5432", "db"),
        ("", "http://[broken/", "http://[broken/"),
    ],
)
def test_the_address_counts_else_the_name(peer: str, endpoint: str, network: str) -> None:
    """/16 and /32 of what was tried, else of what is watched, else the domain."""
    assert network_of(peer, endpoint) == network
