"""TLS over a plain socket: what `tls_config` means to OpenSSL, and what was negotiated."""

import asyncio
import os
import socket
import ssl
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from controlplane.probes.certificates import Certificate, parse_certificate
from controlplane.probes.outcome import ProbeSample
from controlplane.transport.options import TLSConfig, TLSVersion

_VERSIONS: Final = {
    TLSVersion.TLS10: ssl.TLSVersion.TLSv1,
    TLSVersion.TLS11: ssl.TLSVersion.TLSv1_1,
    TLSVersion.TLS12: ssl.TLSVersion.TLSv1_2,
    TLSVersion.TLS13: ssl.TLSVersion.TLSv1_3,
}
_SPOKEN: Final = {
    "TLSv1": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
# What Go's zero time is in Unix seconds: the value where no chain was verified.
_NO_CHAIN: Final = -62135596800.0
_DER: Final = 2
_PIECE: Final = 1 << 16

T = TypeVar("T")


async def tls_context(config: TLSConfig) -> ssl.SSLContext:
    """Return the context of a configuration, made anew when one of its files changed.

    Loading a store of certificates takes milliseconds, so a thread does it.
    Raises OSError and ssl.SSLError for files that cannot be used.
    """
    return await asyncio.to_thread(_current_context, config)


def _current_context(config: TLSConfig) -> ssl.SSLContext:
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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As Go: only alternative names count, and whatever is in the file is trusted.
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _set_versions(context, config)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.ca or config.ca_file:
        context.load_verify_locations(cafile=config.ca_file or None, cadata=config.ca or None)
    else:
        context.load_default_certs()
    _load_identity(context, config, key)
    return context


def _set_versions(context: ssl.SSLContext, config: TLSConfig) -> None:
    lowest = _VERSIONS[config.min_version or TLSVersion.TLS12]
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


class TLSChannel:
    """The client's side of TLS over a connected, non-blocking socket."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        """Raises ValueError for a name that cannot be sent."""
        self._socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name or None
        )
        self._verified = context.verify_mode is ssl.CERT_REQUIRED

    async def handshake(self) -> None:
        """Negotiate. Raises ssl.SSLError, OSError."""
        await self._drive(self._tls.do_handshake)

    async def receive(self) -> bytes:
        """Return what comes next; nothing at the end."""
        try:
            return await self._drive(lambda: self._tls.read(_PIECE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._drive(lambda: self._tls.write(data))

    async def _drive(self, step: Callable[[], T]) -> T:
        """Repeat a step of OpenSSL until it has the bytes that it needs."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await loop.sock_recv(self._socket, _PIECE)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._outgoing.read())

    def chain(self) -> list[Certificate]:
        """Return the certificates as the peer sent them, its own first."""
        return [parse_certificate(der) for der in _chain(self._tls, "get_unverified_chain")]

    def verified_chain(self) -> list[Certificate]:
        """Return the chain that was trusted, the root last; empty when none was asked for."""
        if not self._verified:
            return []
        return [parse_certificate(der) for der in _chain(self._tls, "get_verified_chain")]

    @property
    def version(self) -> str:
        """The version in words, such as `TLS 1.3`."""
        return _SPOKEN.get(self._tls.version() or "", "unknown")


def _chain(tls: ssl.SSLObject, method: str) -> Sequence[bytes]:
    """Return a chain in DER: from Python 3.13 on there is a way, before it an inner one."""
    public = getattr(tls, method, None)
    if public is not None:
        return cast(Sequence[bytes], public())
    certificates: Any = getattr(cast(Any, tls)._sslobj, method)()
    return [certificate.public_bytes(_DER) for certificate in certificates or ()]


def tls_samples(
    version: str, chain: Sequence[Certificate], verified: Sequence[Certificate]
) -> list[ProbeSample]:
    """Return what blackbox_exporter tells of a connection: its version and its chains.

    `chain` is as the peer sent it, `verified` as it was trusted, empty if it was not asked.
    """
    leaf = chain[0]
    info = (
        ("fingerprint_sha256", leaf.fingerprint),
        ("subject", leaf.subject),
        ("issuer", leaf.issuer),
        ("subjectalternative", ",".join(leaf.dns_names)),
        ("serialnumber", leaf.serial),
    )
    trusted_until = float(min(one.not_after for one in verified)) if verified else _NO_CHAIN
    return [
        ProbeSample("probe_ssl_earliest_cert_expiry", float(min(one.not_after for one in chain))),
        ProbeSample("probe_tls_version_info", 1.0, (("version", version),)),
        ProbeSample("probe_ssl_last_chain_expiry_timestamp_seconds", trusted_until),
        ProbeSample("probe_ssl_last_chain_info", 1.0, info),
    ]
