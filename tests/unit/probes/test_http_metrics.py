"""The samples of an http probe: which there are, and what they say."""

import gzip
import ssl
import time
import zlib

import brotli
import pytest
import trustme
from cryptography import x509

from controlplane.probes.network import address_hash
from controlplane.probes.outcome import Reason
from controlplane.transport.options import HTTPClientConfig, TLSConfig
from tests.support.web import answer, web
from tests.unit.probes.rig import DENIED, Rig, module, values

PHASES = {
    f"probe_http_duration_seconds {phase}"
    for phase in ("resolve", "connect", "tls", "processing", "transfer")
}
LOOKUP = {"probe_dns_lookup_time_seconds", "probe_ip_protocol", "probe_ip_addr_hash"}
ALWAYS = {
    "probe_failed_due_to_regex",
    "probe_http_content_length",
    "probe_http_redirects",
    "probe_http_ssl",
    "probe_http_status_code",
    "probe_http_uncompressed_body_length",
    "probe_http_version",
}


async def test_samples_of_a_plain_answer(prober: Rig) -> None:
    """The names and values of a success without TLS."""
    modified = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"
    async with web(answer(body=b"12345", headers=(modified,))) as site:
        outcome = await prober.probe(site.url())
    told = values(outcome)
    assert set(told) == PHASES | LOOKUP | ALWAYS | {"probe_http_last_modified_timestamp_seconds"}
    timed = {name: told.pop(name) for name in PHASES | {"probe_dns_lookup_time_seconds"}}
    assert told == {
        "probe_ip_protocol": 4,
        "probe_ip_addr_hash": address_hash("127.0.0.1"),
        "probe_failed_due_to_regex": 0,
        "probe_http_content_length": 5,
        "probe_http_redirects": 0,
        "probe_http_ssl": 0,
        "probe_http_status_code": 200,
        "probe_http_uncompressed_body_length": 5,
        "probe_http_version": 1.1,
        "probe_http_last_modified_timestamp_seconds": 1767225600,
    }
    assert timed["probe_http_duration_seconds tls"] == 0
    assert 0 < sum(timed.values()) <= outcome.duration


async def test_samples_over_tls(
    prober: Rig, authority: trustme.CA, context: ssl.SSLContext
) -> None:
    """The chain's expiry, the leaf's facts, version and cipher are told of a TLS answer."""
    root = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    trusting = HTTPClientConfig(tls_config=TLSConfig(ca=authority.cert_pem.bytes().decode()))
    lax = HTTPClientConfig(tls_config=TLSConfig(insecure_skip_verify=True))
    async with web(answer(), context=context) as site:
        trusted = await prober.probe(site.url(), module(trusting))
        unverified = await prober.probe(site.url(), module(lax))
        refused = await prober.probe(site.url())
    told, blind = values(trusted), values(unverified)
    expiry = told["probe_ssl_earliest_cert_expiry"]
    assert time.strftime("%Y", time.gmtime(expiry)) > "2025"
    assert told["probe_ssl_last_chain_expiry_timestamp_seconds"] == min(
        expiry, root.not_valid_after_utc.timestamp()
    )
    assert blind["probe_ssl_last_chain_expiry_timestamp_seconds"] == -62135596800
    assert told["probe_tls_version_info TLS 1.3"] == 1
    assert any(name.startswith("probe_tls_cipher_info TLS_") for name in told)
    (info,) = (s for s in trusted.samples() if s.name == "probe_ssl_last_chain_info")
    labels = dict(info.labels)
    assert labels["subjectalternative"] == "localhost"
    assert len(labels["fingerprint_sha256"]) == 64
    assert set(labels) == {
        "fingerprint_sha256", "issuer", "serialnumber", "subject", "subjectalternative",
    }  # fmt: skip
    assert told["probe_http_ssl"] == 1
    assert told["probe_http_duration_seconds tls"] > 0
    assert refused.reason is Reason.TLS
    assert values(refused)["probe_http_ssl"] == 0
    assert not any(name.startswith(("probe_ssl", "probe_tls")) for name in values(refused))


async def test_samples_when_nobody_answers(prober: Rig) -> None:
    """Without a response the numbers are 0, and the phases are there."""
    async with web(b"") as site:
        outcome = await prober.probe(site.url())
    told = values(outcome)
    assert set(told) == PHASES | LOOKUP | ALWAYS
    assert {told[name] for name in ALWAYS} == {0.0}
    assert outcome.reason is Reason.CLOSED


async def test_samples_when_the_name_is_unknown(prober: Rig) -> None:
    """A lookup that fails is all that was timed: no other phase, protocol 0."""
    outcome = await prober.probe("http://no such name/")
    assert (outcome.reason, set(values(outcome))) == (Reason.CONFIG, ALWAYS)
    outcome = await prober.probe(f"http://{'a' * 64}.test/")
    told = values(outcome)
    assert outcome.reason is Reason.DNS
    assert set(told) == {"probe_http_duration_seconds resolve"} | LOOKUP | ALWAYS
    assert (told["probe_ip_protocol"], told["probe_ip_addr_hash"]) == (0, 0)


@pytest.mark.parametrize(
    ("respond", "length", "size"),
    [
        (answer("204 No Content", length=False), 0, 0),
        (answer("304 Not Modified", length=False), 0, 0),
        (answer(body=b"x", length=False), -1, 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", -1, 3),
        (b"HTTP/1.0 200 OK\r\n\r\n0123456789", -1, 10),
    ],
)
async def test_lengths(prober: Rig, respond: bytes, length: int, size: int) -> None:
    """The announced length is -1 for none; the body's own is what came."""
    async with web(respond) as site:
        told = values(await prober.probe(site.url(), module(valid_status_codes=(200, 204, 304))))
    assert told["probe_http_content_length"] == length
    assert told["probe_http_uncompressed_body_length"] == size
    assert told["probe_http_version"] == float(respond[5:8])


async def test_head_has_a_length_and_no_body(prober: Rig) -> None:
    """HEAD tells what is announced, and waits for nothing more."""
    async with web(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n") as site:
        outcome = await prober.probe(site.url(), module(method="HEAD"))
    assert outcome.success
    assert values(outcome)["probe_http_content_length"] == 99
    assert values(outcome)["probe_http_uncompressed_body_length"] == 0


@pytest.mark.parametrize("modified", ["yesterday", "", "2026-01-01", "Thu, 99 Jan 2026 00:00:00"])
async def test_unreadable_date_is_left_out(prober: Rig, modified: str) -> None:
    """A Last-Modified that is no HTTP date has no sample."""
    async with web(answer(headers=(f"Last-Modified: {modified}",))) as site:
        outcome = await prober.probe(site.url())
    assert outcome.success
    assert "probe_http_last_modified_timestamp_seconds" not in values(outcome)


def deflated(data: bytes) -> bytes:
    press = zlib.compressobj(wbits=-15)
    return press.compress(data) + press.flush()


@pytest.mark.parametrize(
    ("compression", "body", "success"),
    [
        ("gzip", gzip.compress(b"plain text", mtime=0), True),
        ("GZIP", gzip.compress(b"plain ", mtime=0) + gzip.compress(b"text", mtime=0), True),
        ("br", brotli.compress(b"plain text"), True),
        ("deflate", deflated(b"plain text"), True),
        ("identity", b"plain text", True),
        ("gzip", b"plain text", False),
        ("gzip", b"", False),
        ("gzip", gzip.compress(b"plain text", mtime=0)[:-4], False),
        ("br", b"\xff\xff\xff", False),
        ("br", brotli.compress(b"plain text")[:-2], False),
        ("deflate", b"\xff\xff", False),
        ("zstd", b"plain text", False),
    ],
)
async def test_compression_is_undone_whatever_is_declared(
    prober: Rig, compression: str, body: bytes, success: bool
) -> None:
    """The promised compression is undone before the body is measured and searched."""
    demand = module(compression=compression, fail_if_body_not_matches_regexp=("^plain text$",))
    async with web(answer(body=body)) as site:
        outcome = await prober.probe(site.url(), demand)
    assert outcome.success is success
    told = values(outcome)
    if success:
        assert told["probe_http_uncompressed_body_length"] == 10
        assert told["probe_http_content_length"] == len(body)
    elif compression != "zstd":
        begun = compression != "gzip" or body.startswith(b"\x1f\x8b")
        assert (outcome.reason, told["probe_failed_due_to_regex"]) == (Reason.BODY, begun)
    else:
        assert outcome.reason is Reason.CONFIG


async def test_gzip_bomb_stops_at_the_limit(prober: Rig) -> None:
    """A body that swells beyond the limit is cut there, however small it came."""
    bomb = gzip.compress(bytes(80 << 20), compresslevel=1)
    async with web(answer(body=bomb)) as site:
        outcome = await prober.probe(site.url(), module(compression="gzip"))
    assert outcome.reason is Reason.SIZE
    assert values(outcome)["probe_http_uncompressed_body_length"] == 64 << 20


@pytest.mark.parametrize(("limit", "reason"), [(0, None), (10, None), (9, Reason.SIZE)])
async def test_body_size_limit(prober: Rig, limit: int, reason: Reason | None) -> None:
    """A larger body than allowed fails the probe, and is counted up to the limit."""
    async with web(answer(body=b"0123456789")) as site:
        outcome = await prober.probe(site.url(), module(body_size_limit=limit))
    assert outcome.reason is reason
    assert values(outcome)["probe_http_uncompressed_body_length"] == min(limit or 10, 10)


async def test_policy_fails_before_anything_is_sent(prober: Rig) -> None:
    """A denied address has the lookup's samples and reason policy."""
    outcome = await prober.probe(f"http://{DENIED}/")
    assert outcome.reason is Reason.POLICY
    assert values(outcome)["probe_ip_addr_hash"] == address_hash(DENIED)
