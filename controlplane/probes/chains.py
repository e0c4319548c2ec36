"""Certificates as a TLS connection shows them: chains, roots, and their samples.

Whether a chain is to be trusted has been decided by the TLS library; here is
only read what it says. Certificates are remembered by their text, since
targets keep theirs.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.duration import format_time
from controlplane.probes.certificates import Certificate, parse_certificate
from controlplane.probes.outcome import SeriesKey
from controlplane.transport.options import TLSConfig
from controlplane.transport.tls import trusted_roots

# Go's zero time, which stands for "there is no verified chain".
NO_CHAIN: Final = -62135596800.0

_PEM: Final = re.compile(
    r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.+?)-----END (?:X509 |TRUSTED )?CERTIFICATE",
    re.DOTALL,
)
_VERSIONS: Final = {
    "TLSv1": "TLS 1.0",
    "TLSv1.0": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
# Cipher suites by OpenSSL's name; those of TLS 1.3 are alike on both sides.
_CIPHERS: Final = {
    "RC4-SHA": "TLS_RSA_WITH_RC4_128_SHA",
    "DES-CBC3-SHA": "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "AES128-SHA": "TLS_RSA_WITH_AES_128_CBC_SHA",
    "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA",
    "AES128-SHA256": "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "AES256-GCM-SHA384": "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES128-SHA": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "ECDHE-ECDSA-AES256-SHA": "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "ECDHE-RSA-DES-CBC3-SHA": "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "ECDHE-RSA-AES128-SHA": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "ECDHE-RSA-AES256-SHA": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "ECDHE-ECDSA-AES128-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "ECDHE-RSA-AES128-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}


@lru_cache(maxsize=16_384)
def tls_series(leaf: Certificate, version: str, cipher: str) -> tuple[SeriesKey, ...]:
    """Return the series of a TLS connection; `version` and `cipher` are OpenSSL's names."""
    info = (
        ("fingerprint_sha256", leaf.fingerprint),
        ("issuer", leaf.issuer),
        ("serialnumber", leaf.serial),
        ("subject", leaf.subject),
        ("subjectalternative", ",".join(leaf.dns_names)),
    )
    return (
        ("probe_ssl_earliest_cert_expiry", ()),
        ("probe_ssl_last_chain_expiry_timestamp_seconds", ()),
        ("probe_ssl_last_chain_info", info),
        ("probe_tls_version_info", (("version", _VERSIONS.get(version, "unknown")),)),
        ("probe_tls_cipher_info", (("cipher", _CIPHERS.get(cipher, cipher)),)),
    )


def tls_values(
    chain: Sequence[Certificate], config: TLSConfig, now: float
) -> tuple[float, float, float, float, float]:
    """Return the values of `tls_series` for a chain as the peer sent it, the leaf first.

    `now` is in seconds since 1970. The peer has been verified, unless the
    config says not to.
    """
    last = NO_CHAIN
    if not config.insecure_skip_verify:
        last = last_chain_expiry(chain, _trusted_by(config), now)
    return float(earliest_expiry(chain)), last, 1.0, 1.0, 1.0


def _trusted_by(config: TLSConfig) -> dict[bytes, tuple[Certificate, ...]]:
    return index_roots(config.ca) if config.ca else roots_of(config.ca_file or trusted_roots())


def describe_certificate(leaf: Certificate) -> str:
    """Return one line on a certificate, for people."""
    return (
        f"subject {leaf.subject or '(empty)'}; issuer {leaf.issuer or '(empty)'}; "
        f"names {', '.join(leaf.dns_names) or '(none)'}; "
        f"valid {format_time(leaf.not_before * 1000)} to {format_time(leaf.not_after * 1000)}"
    )


@lru_cache(maxsize=16_384)
def parse_pem(text: str) -> Certificate:
    """Return the first certificate of a PEM text. Raises InvalidInput."""
    match = _PEM.search(text)
    try:
        return parse_certificate(
            base64.b64decode("".join((match.group(1) if match else "").split()))
        )
    except binascii.Error:
        raise InvalidInput("not a certificate") from None


def earliest_expiry(chain: Sequence[Certificate]) -> int:
    """Return when the first certificate of the chain ends."""
    return min(certificate.not_after for certificate in chain)


def last_chain_expiry(
    chain: Sequence[Certificate], roots: dict[bytes, tuple[Certificate, ...]], now: float
) -> float:
    """Return when the last of the chains that can be trusted ends.

    A chain ends with its first certificate. The peer has been verified, so a
    chain is there: all paths by names, through what the peer sent, to a root,
    none of whose certificates has expired. Without one the peer's own counts.
    """
    ends = list(_paths(chain[0], tuple(chain[1:]), roots, now, float("inf")))
    return max(ends) if ends else earliest_expiry(chain)


def _paths(
    certificate: Certificate,
    others: tuple[Certificate, ...],
    roots: dict[bytes, tuple[Certificate, ...]],
    now: float,
    end: float,
) -> Iterator[float]:
    if certificate.not_after < now:
        return
    end = min(end, certificate.not_after)
    for root in roots.get(certificate.raw_issuer, ()):
        if root.not_after >= now:
            yield min(end, root.not_after)
    if certificate in roots.get(certificate.raw_subject, ()):
        yield end
    for index, issuer in enumerate(others):
        if issuer.raw_subject == certificate.raw_issuer and issuer is not certificate:
            rest = others[:index] + others[index + 1 :]
            yield from _paths(issuer, rest, roots, now, end)


def roots_of(path: str) -> dict[bytes, tuple[Certificate, ...]]:
    """Return the certificates of a bundle by their raw subject; none when it cannot be read."""
    try:
        status = os.stat(path)  # noqa: PTH116 - one call, on each probe over TLS
        return _roots(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _roots(path: str, _changed: int, _size: int) -> dict[bytes, tuple[Certificate, ...]]:
    return index_roots(Path(path).read_text(encoding="ascii", errors="replace"))


@lru_cache(maxsize=64)
def index_roots(text: str) -> dict[bytes, tuple[Certificate, ...]]:
    """Return the certificates of a PEM text by their raw subject, leaving out broken ones."""
    found: dict[bytes, tuple[Certificate, ...]] = {}
    for match in _PEM.finditer(text):
        try:
            certificate = parse_pem(match.group(0))
        except InvalidInput:
            continue
        known = found.get(certificate.raw_subject, ())
        found[certificate.raw_subject] = (*known, certificate)
    return found
