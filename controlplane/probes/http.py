"""The http prober: one request, its redirects, and all that a module asks of the answer.

Names, labels and meaning of the samples are blackbox_exporter's (0.28). What is
one for all targets of a module is worked out once (`_Plan`), what is one for a
target too (`_HTTPTarget`), so that a probe itself only sends and judges.
"""

from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from controlplane.errors import InvalidInput
from controlplane.probes.certificates import Certificate
from controlplane.probes.chains import parse_pem, tls_series, tls_values
from controlplane.probes.evidence import gather_evidence
from controlplane.probes.judgement import HTTPRules
from controlplane.probes.network import LOOKUP_SERIES, lookup_values
from controlplane.probes.options import Module
from controlplane.probes.outcome import (
    EVIDENCE_BODY,
    Evidence,
    Layout,
    Outcome,
    Reason,
    SeriesKey,
    layout,
)
from controlplane.probes.prober import Done, Start, Tools
from controlplane.transport.client import Call, Hop
from controlplane.transport.decoders import decoder_for
from controlplane.transport.exchange import DEFAULT_SIZE_LIMIT, Exchange, Failure, Options
from controlplane.transport.profile import Profile
from controlplane.transport.request import Request
from controlplane.transport.response import ends_head, header_value
from controlplane.transport.url import parse_url

USER_AGENT: Final = "Controlplane-Prober/1"
# Decoded bytes that are held, or undone, at most when the module names no limit.
_HELD_BODY: Final = 64 << 20
_PLANS: Final = 256

_PHASES: Final = ("resolve", "connect", "tls", "processing", "transfer")
_PHASE_SERIES: Final[tuple[SeriesKey, ...]] = tuple(
    ("probe_http_duration_seconds", (("phase", phase),)) for phase in _PHASES
)
_ALWAYS: Final[tuple[SeriesKey, ...]] = tuple(
    (name, ())
    for name in (
        "probe_http_content_length",
        "probe_http_uncompressed_body_length",
        "probe_http_redirects",
        "probe_http_ssl",
        "probe_http_status_code",
        "probe_http_version",
        "probe_failed_due_to_regex",
    )
)
_LAST_MODIFIED: Final[tuple[SeriesKey, ...]] = (("probe_http_last_modified_timestamp_seconds", ()),)
_VERSIONS: Final = {1: 1.0, 2: 1.1, 3: 2.0, 30: 3.0, 31: 3.0}
_NOTHING: Final = (0.0,) * len(_ALWAYS)
_NO_PHASES: Final = (0.0, 0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=65_536)
def _layout(
    looked_up: bool,  # noqa: FBT001 - the key of a cache
    phases: int,
    tls: tuple[SeriesKey, ...],
    dated: bool,  # noqa: FBT001
) -> Layout:
    """Return the layout with the lookup's series or not, and the first so many phases.

    Without a lookup the phase `resolve` is left out.
    """
    first = LOOKUP_SERIES if looked_up else ()
    timed = _PHASE_SERIES[0 if looked_up else 1 : phases]
    return layout((*first, *timed, *_ALWAYS, *tls, *(_LAST_MODIFIED if dated else ())))


def probe_http(tools: Tools, target: str, module: Module) -> Start:
    """Make ready to probe `target`, a URL or a host with an optional port (see `Prober`)."""
    try:
        plan = _plan(module)
        request = plan.request(target)
    except InvalidInput as error:
        return _failing(str(error))
    return _HTTPTarget(tools, plan, request).start


def _failing(error: str) -> Start:
    """Return a probe that fails at once: neither module nor target can be used."""

    def start(_timeout: float, done: Done) -> None:
        plain = _layout(looked_up=False, phases=0, tls=(), dated=False)
        done(Outcome(False, 0.0, plain, _NOTHING, Reason.CONFIG, Evidence(error)))  # noqa: FBT003

    return start


class _Plan:
    """What a module means, for all its targets. Raises InvalidInput."""

    __slots__ = ("_profile", "_with_body", "probe", "rules")

    def __init__(self, module: Module) -> None:
        probe = self.probe = module.http
        self.rules = HTTPRules(probe)
        self._with_body: Options | None = None
        decoder = decoder_for(probe.compression)
        holds = self.rules.reads_body or decoder is not None
        limit = probe.body_size_limit or (_HELD_BODY if holds else DEFAULT_SIZE_LIMIT)
        self._profile = Profile(
            probe.http_client_config,
            Options(
                method=probe.method or "GET",
                body=probe.body.encode() if probe.body else None,
                limit=limit,
                keep=limit if self.rules.reads_body else EVIDENCE_BODY,
                decoder=decoder,
                certificates=True,
            ),
            http3=probe.enable_http3,
        )

    def with_body(self, request: Request) -> Request:
        """Return the request with what `body_file` holds now. Raises OSError."""
        body = Path(self.probe.body_file).read_bytes()
        options = self._with_body
        if options is None or options.body != body:
            options = self._with_body = replace(request.options, body=body)
        return replace(request, options=options)

    def request(self, target: str) -> Request:
        """Return the request for a target. Raises InvalidInput."""
        probe = self.probe
        if not target.lower().startswith(("http://", "https://")):
            target = f"http://{target}"
        if probe.enable_http3 and target.lower().startswith("http://"):
            target = "https://" + target[len("http://") :]
        headers = dict(probe.headers)
        given = {name.lower() for name in headers}
        if "user-agent" not in given:
            headers["User-Agent"] = USER_AGENT
        if "connection" not in given:
            headers["Connection"] = "close"
        return self._profile.request(
            parse_url(target),
            headers.items(),
            prefer="ip4" if probe.preferred_ip_protocol == "ip4" else "ip6",
            fallback=probe.ip_protocol_fallback,
            remote_names=probe.skip_resolve_phase_with_proxy,
        )


_plans: dict[int, tuple[Module, _Plan]] = {}


def _plan(module: Module) -> _Plan:
    """Return the plan of a module, the same one each time: modules change with the file only."""
    known = _plans.get(id(module))
    if known is not None and known[0] is module:
        return known[1]
    plan = _Plan(module)
    if len(_plans) >= _PLANS:
        _plans.pop(next(iter(_plans)))
    _plans[id(module)] = (module, plan)
    return plan


class _HTTPTarget:
    """One target: starts its probes, and turns what comes back into outcomes."""

    __slots__ = ("_plan", "_request", "_tools")

    def __init__(self, tools: Tools, plan: _Plan, request: Request) -> None:
        self._tools = tools
        self._plan = plan
        self._request = request

    def start(self, timeout: float, done: Done) -> None:
        """Start one probe (see `Start`)."""
        request = self._request
        if self._plan.probe.body_file:
            try:
                request = self._plan.with_body(request)
            except OSError as error:
                _failing(f"body_file: {error.strerror or error}")(timeout, done)
                return
        self._tools.client.send(request, timeout, lambda call: done(self._outcome(call)))

    def _outcome(self, call: Call) -> Outcome:
        exchange = call.final
        if exchange is None or not _answered(exchange) or call.failure is Failure.REDIRECT:
            return self._unanswered(call)
        verdict = self._plan.rules.judge(call, exchange)
        phases = _phases(call)
        tls, tls_numbers = self._tls(exchange)
        dated = _last_modified(exchange)
        looked_up, lookup = _lookup(call)
        values = (
            *lookup,
            *(phases if looked_up else phases[1:]),
            float(_content_length(exchange, call.request.options.method)),
            0.0 if call.refused_redirect else float(exchange.size),
            float(call.redirects),
            1.0 if tls else 0.0,
            float(exchange.status),
            _VERSIONS.get(exchange.http_version, 0.0),
            1.0 if verdict.regex else 0.0,
            *tls_numbers,
            *dated,
        )
        evidence = None
        if verdict.reason is not None or self._tools.verbose:
            named = tuple(zip(_PHASES, phases, strict=True))
            evidence = gather_evidence(call, verdict.error, named)
        return Outcome(
            verdict.reason is None,
            call.duration,
            _layout(looked_up, len(_PHASES), tls, bool(dated)),
            values,
            verdict.reason,
            evidence,
        )

    def _unanswered(self, call: Call) -> Outcome:
        """Return the outcome of a call that got no response."""
        looked_up, lookup = _lookup(call)
        phases = _phases(call)
        # A first lookup that failed is all that was timed.
        reached = call.final is not None or len(call.hops) > 1
        count = len(_PHASES) if reached else 1
        values = (*lookup, *phases[0 if looked_up else 1 : count], *_NOTHING)
        redirects = len(values) - len(_NOTHING) + 2
        values = (*values[:redirects], float(call.redirects), *values[redirects + 1 :])
        reason = Reason(call.failure) if call.failure is not None else Reason.PROTOCOL
        error = call.error or "no response"
        return Outcome(
            False,  # noqa: FBT003 - not a success
            call.duration,
            _layout(looked_up, count, (), False),  # noqa: FBT003 - the key of a cache
            values,
            reason,
            gather_evidence(call, error, tuple(zip(_PHASES, phases, strict=True))),
        )

    def _tls(self, exchange: Exchange) -> tuple[tuple[SeriesKey, ...], tuple[float, ...]]:
        facts = exchange.tls
        if facts is None or not facts.chain:
            return (), ()
        try:
            chain = _chain(facts.chain)
        except InvalidInput:
            return (), ()
        config = self._plan.probe.http_client_config.tls_config
        now = self._tools.clock.now() / 1000
        return (
            tls_series(chain[0], facts.version, facts.cipher),
            tls_values(chain, config, now),
        )


@lru_cache(maxsize=16_384)
def _chain(texts: tuple[str, ...]) -> tuple[Certificate, ...]:
    return tuple(parse_pem(text) for text in texts)


def _answered(exchange: Exchange) -> bool:
    """Tell whether the head of a final response came whole, whatever became of its body."""
    final = exchange.status >= 200 or exchange.status == 101
    return final and ends_head(exchange.header_lines)


def _lookup(call: Call) -> tuple[bool, tuple[float, ...]]:
    """Return whether the target's name was looked up by us, and the values of that."""
    found = call.hops[0].resolution if call.hops else None
    if found is None:
        return False, ()
    return True, lookup_values(found.address, found.version, found.seconds)


def _phases(call: Call) -> tuple[float, float, float, float, float]:
    """Return the seconds of each phase, summed over all hops; transfer is the last hop's."""
    if len(call.hops) == 1:
        return _phases_of(call.hops[0])
    each = [_phases_of(hop) for hop in call.hops] or [_NO_PHASES]
    resolve, connect, tls, processing, _ = map(sum, zip(*each, strict=True))
    return resolve, connect, tls, processing, each[-1][-1]


def _phases_of(hop: Hop) -> tuple[float, float, float, float, float]:
    exchange, resolution = hop.exchange, hop.resolution
    resolve = 0.0 if resolution is None else resolution.seconds
    if exchange is None or not exchange.connected:
        return resolve, 0.0, 0.0, 0.0, 0.0
    connected, tls = exchange.connected, 0.0
    ready = connected
    if exchange.secured:
        ready = exchange.secured
        tls = ready - connected
    first = exchange.first_byte
    if not exchange.status or not first:
        return resolve, connected, tls, 0.0, 0.0
    return resolve, connected, tls, first - ready, exchange.ended - first


def _content_length(exchange: Exchange, method: str) -> int:
    """Return what Go says of a response that cannot have a body and announces none.

    To HEAD its length is unknown, to all other methods 0.
    """
    if exchange.status in (204, 304) and not header_value(exchange.header_lines, "content-length"):
        return -1 if method == "HEAD" else 0
    return exchange.content_length


def _last_modified(exchange: Exchange) -> tuple[float, ...]:
    text = header_value(exchange.header_lines, "last-modified")
    seconds = _http_date(text) if text else None
    return () if seconds is None else (seconds,)


@lru_cache(maxsize=16_384)
def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
