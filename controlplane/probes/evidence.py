"""What is kept of a failed HTTP probe: the story for people, without secrets."""

from typing import Final

from controlplane.errors import InvalidInput
from controlplane.model.secret import REDACTED
from controlplane.probes.chains import describe_certificate, parse_pem
from controlplane.probes.outcome import EVIDENCE_BODY, Evidence
from controlplane.transport.client import Call, Hop
from controlplane.transport.exchange import Exchange
from controlplane.transport.response import decoded_headers

# Response headers that may carry something to log in with.
_SECRET_HEADERS: Final = frozenset(
    ("set-cookie", "set-cookie2", "authorization", "proxy-authorization", "x-api-key")
)
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
    return Evidence(
        error=error,
        phases=phases,
        peer=exchange.peer or (hop.resolution.address if hop and hop.resolution else ""),
        url=url,
        status=exchange.status,
        headers=_shown_headers(exchange),
        body=exchange.body[:EVIDENCE_BODY].decode("utf-8", "replace"),
        certificate=_certificate(exchange),
        log=log,
    )


def _shown_headers(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, REDACTED if name.lower() in _SECRET_HEADERS else value[:_LONGEST_VALUE])
        for name, value in decoded_headers(exchange.header_lines)[:_MOST_HEADERS]
    )


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
