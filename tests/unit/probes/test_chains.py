"""When chains of certificates end: the earliest of what came, the last of what can be trusted."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controlplane.errors import InvalidInput
from controlplane.probes.chains import (
    NO_CHAIN,
    index_roots,
    parse_pem,
    roots_of,
    tls_series,
    tls_values,
)
from controlplane.transport.options import TLSConfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(subject: str, issuer: str, days: int) -> str:
    """Return a certificate that ends so many days from now; all are signed by the one key."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1000))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def ends(chain: list[str], *roots: str, skip: bool = False) -> tuple[float, float]:
    """Return in days from now when the chain as sent, and the last trusted one, ends."""
    config = TLSConfig(ca="".join(roots), insecure_skip_verify=skip)
    certificates = [parse_pem(text) for text in chain]
    earliest, last, *_ = tls_values(certificates, config, NOW.timestamp())
    day = timedelta(days=1).total_seconds()
    return (
        (earliest - NOW.timestamp()) / day,
        last if last == NO_CHAIN else (last - NOW.timestamp()) / day,
    )


@pytest.mark.parametrize(
    ("chain", "roots", "expected"),
    [
        # the leaf ends first, then the intermediate, then the root
        ([("leaf", "mid", 10), ("mid", "root", 20)], [("root", "root", 30)], (10, 10)),
        ([("leaf", "mid", 30), ("mid", "root", 20)], [("root", "root", 90)], (20, 20)),
        ([("leaf", "root", 30)], [("root", "root", 5)], (30, 5)),
        # the old intermediate has ended; the new one of that name has not
        (
            [("leaf", "mid", 50), ("mid", "root", -1), ("mid", "root", 40)],
            [("root", "root", 90)],
            (-1, 40),
        ),
        # two roots of one name: the chain that lasts longer counts
        ([("leaf", "root", 50)], [("root", "root", 20), ("root", "root", 40)], (50, 40)),
        # a root that has ended is trusted no more
        ([("leaf", "root", 50)], [("root", "root", -5), ("root", "root", 40)], (50, 40)),
        # what the peer sent besides belongs to no chain
        ([("leaf", "root", 50), ("other", "x", 1)], [("root", "root", 90)], (1, 50)),
        # certificates that name each other do not go round for ever
        ([("a", "b", 9), ("b", "a", 8)], [("root", "root", 90)], (8, 8)),
    ],
)
def test_ends_of_chains(
    chain: list[tuple[str, str, int]],
    roots: list[tuple[str, str, int]],
    expected: tuple[float, float],
) -> None:
    """Go's two answers about a peer's certificates."""
    assert ends([pem(*one) for one in chain], *(pem(*one) for one in roots)) == expected


def test_without_verification_there_is_no_chain() -> None:
    """With insecure_skip_verify nothing is trusted: Go's zero time."""
    leaf = pem("leaf", "root", 10)
    assert ends([leaf], pem("root", "root", 30), skip=True) == (10, NO_CHAIN)


def test_names_of_versions_and_ciphers_are_gos() -> None:
    """OpenSSL's names are told in Go's words; those of TLS 1.3 are alike."""
    leaf = parse_pem(pem("leaf", "root", 10))

    def labels(version: str, cipher: str) -> set[str]:
        series = tls_series(leaf, version, cipher)
        return {value for name, pairs in series if "tls" in name for _, value in pairs}

    assert labels("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256") == {
        "TLS 1.2",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    }
    assert labels("TLSv1.3", "TLS_AES_128_GCM_SHA256") == {"TLS 1.3", "TLS_AES_128_GCM_SHA256"}
    assert labels("TLSv9", "NEW") == {"unknown", "NEW"}


def test_what_is_no_certificate() -> None:
    """A broken text is refused, a broken entry of a bundle left out, a missing bundle empty."""
    good = pem("root", "root", 10)
    for text in ("", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", "x"):
        with pytest.raises(InvalidInput):
            parse_pem(text)
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert len(index_roots(broken + good)) == 1
    assert roots_of("/nowhere/ca.pem") == {}
