"""Certificates read from DER: names as Go writes them, dates, numbers, and garbage."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from controlplane.errors import InvalidInput
from controlplane.probes.certificates import parse_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
END = datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC)


def certificate(*attributes: tuple[x509.ObjectIdentifier, str], serial: int = 0x0F0000AB) -> bytes:
    name = x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes])
    names = [x509.DNSName("a.test"), x509.DNSName("*.b.test"), x509.RFC822Name("me@c.test")]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(1999, 1, 1, tzinfo=UTC))
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.DER)


def test_names() -> None:
    """Attributes come in Go's order, several of a kind together, unknown ones as numbers."""
    der = certificate(
        (NameOID.COUNTRY_NAME, "DE"),
        (NameOID.COMMON_NAME, "first"),
        (NameOID.EMAIL_ADDRESS, "a@z"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "one"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "two, <3>"),
        (NameOID.ORGANIZATION_NAME, "#Größe "),
        (NameOID.COMMON_NAME, "last"),
    )
    assert parse_certificate(der).subject == (
        "CN=last,OU=one+OU=two\\, \\<3\\>,O=\\#Größe\\ ,C=DE,1.2.840.113549.1.9.1=#0c0361407a"
    )


def test_the_rest() -> None:
    """Dates before and after 2050, DNS names only, and the serial number byte by byte."""
    read = parse_certificate(certificate((NameOID.COMMON_NAME, "x")))
    assert read.not_after == int(END.timestamp())
    assert read.not_before == int(datetime(1999, 1, 1, tzinfo=UTC).timestamp())
    assert read.dns_names == ("a.test", "*.b.test")
    assert read.serial == "0f0000ab"
    assert read.subject == read.issuer == "CN=x"
    assert parse_certificate(certificate(serial=0x80)).serial == "80"
    assert parse_certificate(certificate()).subject == ""


@given(st.binary(max_size=60))
def test_garbage(garbage: bytes) -> None:
    """What is no certificate is refused, in no other way."""
    with pytest.raises(InvalidInput):
        parse_certificate(garbage)


WHOLE = certificate((NameOID.COMMON_NAME, "x"))


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4))
def test_broken_certificates(changes: list[tuple[int, int]]) -> None:
    """A certificate with some bytes changed is read or refused, and nothing else."""
    broken = bytearray(WHOLE)
    for place, byte in changes:
        broken[place] = byte
    with suppress(InvalidInput):
        assert len(parse_certificate(bytes(broken)).fingerprint) == 64
