"""TLS options in libcurl's terms, and where this machine keeps its trusted roots."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Final

import certifi
import pycurl

from controlplane.errors import InvalidInput
from controlplane.transport.options import TLSConfig, TLSVersion

# Where distributions keep the bundle, in the order in which Go looks for it.
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_MIN: Final = {
    TLSVersion.TLS10: pycurl.SSLVERSION_TLSv1_0,
    TLSVersion.TLS11: pycurl.SSLVERSION_TLSv1_1,
    TLSVersion.TLS12: pycurl.SSLVERSION_TLSv1_2,
    TLSVersion.TLS13: pycurl.SSLVERSION_TLSv1_3,
}
_MAX: Final = {
    TLSVersion.TLS10: pycurl.SSLVERSION_MAX_TLSv1_0,
    TLSVersion.TLS11: pycurl.SSLVERSION_MAX_TLSv1_1,
    TLSVersion.TLS12: pycurl.SSLVERSION_MAX_TLSv1_2,
    TLSVersion.TLS13: pycurl.SSLVERSION_MAX_TLSv1_3,
}
_ORDER: Final = tuple(_MIN)


@lru_cache(maxsize=1)
def trusted_roots() -> str:
    """Return the path of the bundle of trusted roots: SSL_CERT_FILE, the system's, certifi's."""
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, *_BUNDLES):
        if path and Path(path).is_file():
            return path
    return certifi.where()


def check_tls(config: TLSConfig) -> None:
    """Raise InvalidInput for options that contradict one another."""
    pairs = (("ca", config.ca), ("cert", config.cert), ("key", config.key))
    for name, text in pairs:
        if text and getattr(config, f"{name}_file"):
            raise InvalidInput(f"at most one of {name} and {name}_file must be configured")
    if bool(config.cert or config.cert_file) != bool(config.key or config.key_file):
        raise InvalidInput("a client certificate needs both cert and key")
    low, high = config.min_version, config.max_version
    if low and high and _ORDER.index(high) < _ORDER.index(low):
        raise InvalidInput("max_version must not be lower than min_version")


def tls_settings(config: TLSConfig) -> tuple[tuple[int, object], ...]:
    """Return libcurl options. The key is revealed: use the result at once or not at all.

    Raises InvalidInput for contradictions, Unavailable when a secret cannot be read.
    """
    check_tls(config)
    low = config.min_version or (
        config.max_version
        if config.max_version in (TLSVersion.TLS10, TLSVersion.TLS11)
        else TLSVersion.TLS12
    )
    settings: list[tuple[int, object]] = [
        (pycurl.SSLVERSION, _MIN[low] | (_MAX[config.max_version] if config.max_version else 0))
    ]
    if config.insecure_skip_verify:
        settings += [(pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    if config.ca:
        settings += [(pycurl.CAINFO_BLOB, config.ca.encode()), (pycurl.CAPATH, None)]
    else:
        settings.append((pycurl.CAINFO, config.ca_file or trusted_roots()))
    if config.cert:
        settings.append((pycurl.SSLCERT_BLOB, config.cert.encode()))
    elif config.cert_file:
        settings.append((pycurl.SSLCERT, config.cert_file))
    if config.key is not None:
        settings.append((pycurl.SSLKEY_BLOB, config.key.reveal().encode()))
    elif config.key_file:
        settings.append((pycurl.SSLKEY, config.key_file))
    return tuple(settings)
