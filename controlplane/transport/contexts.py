"""TLS options in the terms of Python's `ssl`, for whatever does not run on libcurl."""

import os
import ssl
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Final

from controlplane.transport.options import TLSConfig, TLSVersion
from controlplane.transport.tls import check_tls, trusted_roots

_VERSIONS: Final = {
    TLSVersion.TLS10: ssl.TLSVersion.TLSv1,
    TLSVersion.TLS11: ssl.TLSVersion.TLSv1_1,
    TLSVersion.TLS12: ssl.TLSVersion.TLSv1_2,
    TLSVersion.TLS13: ssl.TLSVersion.TLSv1_3,
}
_OLD: Final = (TLSVersion.TLS10, TLSVersion.TLS11)


def ssl_context(config: TLSConfig) -> ssl.SSLContext:
    """Return the context of a configuration, made anew when one of its files changed.

    Loading a store of certificates takes milliseconds: a thread's work where
    it matters. Raises OSError and ssl.SSLError for files that cannot be used.
    """
    files = (config.ca_file, config.cert_file, config.key_file)
    key = config.key.reveal() if config.key is not None else ""
    return _context(config, tuple(_stamp(file) for file in files), key)


def _stamp(file: str) -> tuple[int, int]:
    if not file:
        return (0, 0)
    status = Path(file).stat()
    return (status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _context(config: TLSConfig, _stamps: tuple[tuple[int, int], ...], key: str) -> ssl.SSLContext:
    check_tls(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As Go: only alternative names count, and whatever is in the file is trusted.
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _set_versions(context, config)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.ca:
        context.load_verify_locations(cadata=config.ca)
    else:
        context.load_verify_locations(cafile=config.ca_file or trusted_roots())
    _load_identity(context, config, key)
    return context


def _set_versions(context: ssl.SSLContext, config: TLSConfig) -> None:
    oldest = config.max_version if config.max_version in _OLD else TLSVersion.TLS12
    lowest = _VERSIONS[config.min_version or oldest]
    with warnings.catch_warnings():
        # Old versions are somebody's explicit wish: to watch what still speaks them.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = lowest
        if config.max_version is not None:
            context.maximum_version = _VERSIONS[config.max_version]
    if lowest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")


def _load_identity(context: ssl.SSLContext, config: TLSConfig, key_text: str) -> None:
    if not (config.cert or config.cert_file):
        return
    with tempfile.TemporaryDirectory() as directory:  # readable by this user only
        certificate, key = config.cert_file, config.key_file
        if config.cert:
            certificate = _written(directory, "cert.pem", config.cert)
        if key_text:
            key = _written(directory, "key.pem", key_text)
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key or None, password=lambda: b"")


def _written(directory: str, name: str, text: str) -> str:
    path = os.path.join(directory, name)  # noqa: PTH118 - a plain string for OpenSSL
    Path(path).write_text(text)
    return path
