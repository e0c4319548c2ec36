"""Probes by way of proxies that really carry them: SOCKS5, and tunnels with headers."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import trustme

from controlplane.model.secret import Secret
from controlplane.probes.options import HTTPProbe, Module
from controlplane.probes.outcome import Reason
from controlplane.transport.options import HTTPClientConfig, ProxyConfig, TLSConfig
from tests.support.proxies import connect_proxy, socks_proxy
from tests.support.web import answer, web
from tests.unit.probes.rig import Rig, values


@dataclass(frozen=True, slots=True)
class Trusted:
    """A server's TLS, and what a client needs to trust it."""

    server: ssl.SSLContext
    client: TLSConfig


@pytest.fixture
def tls(tmp_path: Path) -> Trusted:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.test", "127.0.0.1").configure_cert(server)
    return Trusted(server, TLSConfig(ca_file=str(tmp_path / "ca.pem")))


NO_TLS: Final = TLSConfig()


def module(proxy: str, tls: TLSConfig = NO_TLS, *, remote_names: bool = False) -> Module:
    client = HTTPClientConfig(tls_config=tls, proxy=ProxyConfig(proxy_url=proxy))
    probe = HTTPProbe(http_client_config=client, skip_resolve_phase_with_proxy=remote_names)
    return Module("http", 3000, probe)


async def test_socks_carries_http(prober: Rig) -> None:
    """By SOCKS5 the target's own address is asked for, and the samples are those of a probe."""
    async with socks_proxy() as proxy, web(answer(body=b"far")) as site:
        used = module(f"socks5://127.0.0.1:{proxy.port}")
        outcome = await prober.probe(site.url("/x"), used)
    assert outcome.success
    assert proxy.asked == [f"127.0.0.1:{site.port}"]
    assert site.requests[0].startswith("GET /x HTTP/1.1\r\n")
    found = values(outcome)
    assert found["probe_http_content_length"] == 3
    assert found["probe_http_duration_seconds connect"] > 0


async def test_socks_carries_https(prober: Rig, tls: Trusted) -> None:
    """TLS is spoken with the target, through the proxy."""
    async with (
        socks_proxy() as proxy,
        web(answer(body=b"far"), context=tls.server) as site,
    ):
        used = module(f"socks5://127.0.0.1:{proxy.port}", tls.client)
        outcome = await prober.probe(site.url(), used)
    assert outcome.success
    assert values(outcome)["probe_http_ssl"] == 1
    assert values(outcome)["probe_http_duration_seconds tls"] > 0


async def test_socks_may_look_names_up_itself(prober: Rig) -> None:
    """socks5h with skip_resolve_phase_with_proxy: the proxy is given the name."""
    async with socks_proxy() as proxy, web(answer()) as site:
        used = module(f"socks5h://127.0.0.1:{proxy.port}", remote_names=True)
        outcome = await prober.probe(f"http://site.test:{site.port}/", used)
    assert outcome.success
    assert proxy.asked == [f"site.test:{site.port}"]
    assert f"Host: site.test:{site.port}" in site.requests[0]


@pytest.mark.parametrize(("password", "reason"), [("word", None), ("wrong", Reason.PROXY)])
async def test_socks_login(prober: Rig, password: str, reason: Reason | None) -> None:
    """User and password of the proxy's URL log in; a refusal has reason proxy, without secrets."""
    async with socks_proxy(("user", "word")) as proxy, web(answer()) as site:
        used = module(f"socks5://user:{password}@127.0.0.1:{proxy.port}")
        outcome = await prober.probe(site.url(), used)
    assert outcome.reason is reason
    assert proxy.logins == [("user", password)]
    assert password not in str(outcome.evidence)


async def test_socks_proxy_that_reaches_nobody(prober: Rig) -> None:
    """What the proxy cannot connect to has reason proxy."""
    async with socks_proxy() as proxy:
        outcome = await prober.probe(
            "http://127.0.0.1:1/", module(f"socks5://127.0.0.1:{proxy.port}")
        )
    assert outcome.reason is Reason.PROXY
    assert proxy.asked == ["127.0.0.1:1"]


async def test_tunnel_headers_stay_with_the_proxy(prober: Rig, tls: Trusted) -> None:
    """proxy_connect_header goes to the proxy and not through it; the target's stay inside."""
    async with connect_proxy() as proxy, web(answer(), context=tls.server) as site:
        client = HTTPClientConfig(
            tls_config=tls.client,
            proxy=ProxyConfig(
                proxy_url=f"http://u:p@127.0.0.1:{proxy.port}",
                proxy_connect_header={"X-Pass": (Secret("first"), Secret("second"))},
            ),
        )
        probe = HTTPProbe(headers={"X-Inner": "inner"}, http_client_config=client)
        outcome = await prober.probe(site.url("/x"), Module("http", 3000, probe))
    assert outcome.success
    assert proxy.asked == [f"127.0.0.1:{site.port}"]
    outer, inner = proxy.heads[0], site.requests[0]
    assert "X-Pass: first\r\n" in outer
    assert "X-Pass: second\r\n" in outer
    assert "Proxy-Authorization: Basic dTpw\r\n" in outer
    assert "X-Inner" not in outer
    assert "X-Inner: inner\r\n" in inner
    assert "X-Pass" not in inner
    assert values(outcome)["probe_http_ssl"] == 1
