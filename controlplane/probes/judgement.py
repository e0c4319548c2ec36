"""What a module demands of an HTTP response, asked in blackbox_exporter's order."""

from dataclasses import dataclass
from typing import Final

from controlplane.probes.options import HeaderMatch, HTTPProbe
from controlplane.probes.outcome import Reason
from controlplane.probes.patterns import SearchPattern, compile_search
from controlplane.transport.client import Call
from controlplane.transport.exchange import Exchange, Failure
from controlplane.transport.response import header_values

_PROTOCOLS: Final = {
    1: "HTTP/1.0",
    2: "HTTP/1.1",
    3: "HTTP/2.0",
    30: "HTTP/3.0",
    31: "HTTP/3.0",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Good without a reason; `regex` tells that a regular expression was to blame."""

    reason: Reason | None = None
    error: str = ""
    regex: bool = False


_GOOD: Final = Verdict()


class HTTPRules:
    """The demands of one module. Raises InvalidInput for a broken regular expression."""

    __slots__ = (
        "_absent",
        "_demands_protocol",
        "_headers",
        "_present",
        "_probe",
        "reads_body",
    )

    def __init__(self, probe: HTTPProbe) -> None:
        self._probe = probe
        self._present = _patterns(probe.fail_if_body_matches_regexp)
        self._absent = _patterns(probe.fail_if_body_not_matches_regexp)
        self._headers = [
            (match, compile_search(match.regexp), unwanted)
            for unwanted, matches in (
                (True, probe.fail_if_header_matches),
                (False, probe.fail_if_header_not_matches),
            )
            for match in matches
        ]
        self.reads_body = bool(self._present or self._absent)
        self._demands_protocol = bool(
            probe.valid_http_versions or probe.fail_if_ssl or probe.fail_if_not_ssl
        )

    def judge(self, call: Call, exchange: Exchange) -> Verdict:
        """Return the first demand that a response does not meet."""
        verdict = self._status(call, exchange)
        if verdict.reason is None and self._headers:
            verdict = self._header(exchange)
        if verdict.reason is None and exchange.failure is not None:
            regex = self.reads_body and not self._unread(exchange)
            verdict = Verdict(Reason(exchange.failure), exchange.error, regex)
        if verdict.reason is None and self.reads_body:
            verdict = self._body(call, exchange)
        if verdict.reason is None and self._demands_protocol:
            verdict = self._protocol(call, exchange)
        return verdict

    def _unread(self, exchange: Exchange) -> bool:
        """Tell whether Go would not even begin to read: gzip is known by how it begins."""
        is_gzip = self._probe.compression.lower() == "gzip"
        return is_gzip and exchange.failure is Failure.BODY and not exchange.size

    def _status(self, call: Call, exchange: Exchange) -> Verdict:
        valid, status = self._probe.valid_status_codes, exchange.status
        if status in valid if valid else 200 <= status < 300:
            return _GOOD
        if call.refused_redirect and self._probe.http_client_config.follow_redirects:
            return Verdict(Reason.REDIRECT, f"gave up after {call.redirects} redirects")
        wanted = ", ".join(map(str, valid)) if valid else "2xx"
        return Verdict(Reason.STATUS, f"status {status}, wanted {wanted}")

    def _header(self, exchange: Exchange) -> Verdict:
        for match, pattern, unwanted in self._headers:
            values = header_values(exchange.header_lines, match.header.lower())
            error = _header_error(match, pattern, values, unwanted=unwanted)
            if error:
                return Verdict(Reason.HEADER, error, regex=True)
        return _GOOD

    def _body(self, call: Call, exchange: Exchange) -> Verdict:
        if call.refused_redirect and exchange.size:
            # Go closes such a body before anybody can look at it.
            return Verdict(Reason.BODY, "a redirect's own body is not read", regex=True)
        text = exchange.body.decode("utf-8", "replace")
        for source, pattern in self._present:
            if pattern.search(text) is not None:
                return Verdict(Reason.BODY, f"the body matches {source!r}", regex=True)
        for source, pattern in self._absent:
            if pattern.search(text) is None:
                return Verdict(Reason.BODY, f"the body does not match {source!r}", regex=True)
        return _GOOD

    def _protocol(self, call: Call, exchange: Exchange) -> Verdict:
        probe = self._probe
        spoken = _PROTOCOLS.get(exchange.http_version, "unknown")
        if probe.valid_http_versions and spoken not in probe.valid_http_versions:
            return Verdict(Reason.PROTOCOL, f"the response is {spoken}")
        secure = call.hops[-1].url.scheme == "https"
        if probe.fail_if_ssl and secure:
            return Verdict(Reason.SSL, "the final request was over TLS")
        if probe.fail_if_not_ssl and not secure:
            return Verdict(Reason.SSL, "the final request was not over TLS")
        return _GOOD


def _patterns(sources: tuple[str, ...]) -> list[tuple[str, SearchPattern]]:
    return [(source, compile_search(source)) for source in sources]


def _header_error(
    match: HeaderMatch, pattern: SearchPattern, values: list[str], *, unwanted: bool
) -> str:
    if not values:
        return "" if match.allow_missing else f"header {match.header} is missing"
    found = any(pattern.search(value) is not None for value in values)
    if found == unwanted:
        return (
            f"header {match.header} {'matches' if unwanted else 'does not match'} {match.regexp!r}"
        )
    return ""
