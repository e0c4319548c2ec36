"""TLS over a plain socket: what `tls_config` means to OpenSSL, and what was negotiated."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

from controlplane.probes.certificates import Certificate, parse_certificate
from controlplane.probes.outcome import ProbeSample
from controlplane.transport.contexts import ssl_context
from controlplane.transport.options import TLSConfig

_SPOKEN: Final = {
    "TLSv1": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
# What Go's zero time is in Unix seconds: the value where no chain was verified.
_NO_CHAIN: Final = -62135596800.0
_DER: Final = 2
_PIECE: Final = 16 << 10

T = TypeVar("T")


async def tls_context(config: TLSConfig) -> ssl.SSLContext:
    """Return the context of a configuration, made anew when one of its files changed.

    Loading a store of certificates takes milliseconds, so a thread does it.
    Raises InvalidInput for contradictions, OSError (ssl.SSLError among them) for
    files that cannot be used, Unavailable for secrets that cannot be read.
    """
    return await asyncio.to_thread(ssl_context, config)


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
