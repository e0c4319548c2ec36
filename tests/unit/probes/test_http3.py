"""Probes over HTTP/3, with a peer that speaks it."""

from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from controlplane.probes.options import HTTPProbe, Module
from controlplane.probes.outcome import Reason
from controlplane.transport.options import HTTPClientConfig, TLSConfig
from tests.support.http3 import http3
from tests.unit.probes.rig import Rig, values


@pytest.fixture
def trusting(tmp_path: Path) -> Module:
    """A module that wants HTTP/3 and trusts whom `tmp_path` holds the certificate of."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client = HTTPClientConfig(
        enable_http2=False, tls_config=TLSConfig(ca_file=str(tmp_path / "ca.pem"))
    )
    return Module("http", 5000, HTTPProbe(enable_http3=True, http_client_config=client))


async def test_http3_is_spoken(prober: Rig, trusting: Module, tmp_path: Path) -> None:
    """All that a probe measures is there over QUIC too: version, phases, certificate, length."""
    async with http3(tmp_path / "cert.pem", tmp_path / "key.pem", b"by quic") as site:
        outcome = await prober.probe(site.url("/x"), trusting)
    assert outcome.success, outcome.evidence
    found = values(outcome)
    assert found["probe_http_version"] == 3.0
    assert found["probe_http_content_length"] == 7
    assert found["probe_http_uncompressed_body_length"] == 7
    assert found["probe_http_ssl"] == 1
    assert found["probe_ssl_earliest_cert_expiry"] > 0
    assert found["probe_tls_version_info TLS 1.3"] == 1
    assert found["probe_http_duration_seconds processing"] > 0
    assert site.requests[0][":path"] == "/x"


async def test_http3_demands_are_judged(prober: Rig, trusting: Module, tmp_path: Path) -> None:
    """A body that must not be there is seen over QUIC as well."""
    strict = replace(
        trusting, http=replace(trusting.http, fail_if_body_matches_regexp=("by quic",))
    )
    async with http3(tmp_path / "cert.pem", tmp_path / "key.pem", b"by quic") as site:
        outcome = await prober.probe(site.url(), strict)
    assert outcome.reason is Reason.BODY


async def test_http3_verifies_its_peer(prober: Rig, trusting: Module, tmp_path: Path) -> None:
    """A certificate that nobody vouches for has reason tls, as over TCP."""
    client = HTTPClientConfig(enable_http2=False)
    doubting = replace(trusting, http=replace(trusting.http, http_client_config=client))
    async with http3(tmp_path / "cert.pem", tmp_path / "key.pem", b"by quic") as site:
        outcome = await prober.probe(site.url(), doubting)
    assert outcome.reason is Reason.TLS
