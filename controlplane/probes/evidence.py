"""What is kept of a failed HTTP probe: the story for people, without secrets."""

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.secret import REDACTED
from controlplane.probes.chains import describe_certificate, parse_pem
from controlplane.probes.outcome import EVIDENCE_BODY, Evidence
from controlplane.transport.client import Call, Hop
from controlplane.transport.exchange import Exchange
from controlplane.transport.request import split_userinfo
from controlplane.transport.response import decoded_headers

# Response headers that may carry something to log in with.
_SECRET_HEADERS: Final = frozenset(
    ("set-cookie", "set-cookie2", "authorization", "proxy-authorization", "x-api-key")
)
# A shorter credential is no secret, and striking it out would tear words apart.
_SHORTEST_SECRET: Final = 4
_MOST_HEADERS: Final = 100
_LONGEST_VALUE: Final = 1024


def gather_evidence(call: Call, error: str, phases: tuple[tuple[str, float], ...]) -> Evidence:
    """Return the evidence of a call that ended, well or badly."""
    hop = call.hops[-1] if call.hops else None
    exchange = call.final
    url = str(hop.url) if hop is not None else ""
    log = tuple(line for each in call.hops for line in _narrate(each)) + ((error,) if error else ())
    if exchange is None:
        peer = hop.resolution.address if hop is not None and hop.resolution is not None else ""
        return Evidence(error, phases, peer, url, log=log)
    secrets = _secrets(call)
    return Evidence(
        error=error,
        phases=phases,
        peer=exchange.peer or (hop.resolution.address if hop and hop.resolution else ""),
        url=url,
        status=exchange.status,
        headers=_shown_headers(exchange, secrets),
        body=_struck(exchange.body.decode("utf-8", "replace"), secrets)[:EVIDENCE_BODY],
        certificate=_certificate(exchange),
        log=log,
    )


def _shown_headers(exchange: Exchange, secrets: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            name,
            REDACTED
            if name.lower() in _SECRET_HEADERS
            else _struck(value, secrets)[:_LONGEST_VALUE],
        )
        for name, value in decoded_headers(exchange.header_lines)[:_MOST_HEADERS]
    )


def _secrets(call: Call) -> Sequence[str]:
    """Return what we logged in with: a service may repeat it in what it answers."""
    request = call.request
    given = [value for name, value in request.headers if name.lower() in _SECRET_HEADERS]
    secrets = [split_userinfo(hop.url.userinfo)[1] for hop in call.hops]
    # What could be read for the request may be gone by now.
    with suppress(ControlPlaneError):
        if request.credentials is not None:
            given.append(request.credentials.header() or "")
        if request.secret_headers is not None:
            secrets += [value for _, value in request.secret_headers()]
    for header in given:
        kind, _, secret = header.rpartition(" ")
        secrets.append(secret)
        if kind.lower() == "basic":
            secrets.append(_password(secret))
    return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace").partition(":")[2]
    except binascii.Error:
        return ""


def _struck(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def _certificate(exchange: Exchange) -> str:
    if exchange.tls is None or not exchange.tls.chain:
        return ""
    try:
        return describe_certificate(parse_pem(exchange.tls.chain[0]))
    except InvalidInput as error:
        return str(error)


def _narrate(hop: Hop) -> list[str]:
    lines = [f"requesting {hop.url}"]
    found, exchange = hop.resolution, hop.exchange
    if hop.proxy is not None:
        lines.append(f"by proxy {hop.proxy.host}:{hop.proxy.port} at {hop.proxy_address}")
    if found is not None and not found.error:
        lines.append(f"{hop.url.host} is {found.address}, found in {found.seconds:.6f}s")
    if exchange is None:
        return lines
    if exchange.connected:
        lines.append(f"connected to {exchange.peer} after {exchange.connected:.6f}s")
    if exchange.secured and exchange.tls is not None:
        lines.append(f"{exchange.tls.version} {exchange.tls.cipher} after {exchange.secured:.6f}s")
    if exchange.status:
        lines.append(
            f"status {exchange.status} after {exchange.first_byte:.6f}s, "
            f"{exchange.size} bytes after {exchange.ended:.6f}s"
        )
    return lines
