"""Prometheus' template functions, for rules' labels and annotations (template/template.go)."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote_plus, urlsplit

from controlplane.clock import Timestamp
from controlplane.model.duration import SECOND, parse_duration
from controlplane.model.labels import Labels
from controlplane.templating import functions
from controlplane.templating.errors import FunctionError
from controlplane.templating.expressions import Functions
from controlplane.templating.gotime import SECOND as NANOSECONDS
from controlplane.templating.gotime import Duration
from controlplane.templating.values import ANY, STRING, Function, Slice, StringMap, Struct

_SAMPLE: Final = "*template.sample"
_RESULT: Final = "template.queryResult"


@dataclass(frozen=True, slots=True)
class Sample(Struct):
    """One element of a query's result."""

    labels: StringMap
    value: float

    GO_TYPE: ClassVar[str] = _SAMPLE
    FIELDS: ClassVar = {"Labels": "labels", "Value": "value"}


@dataclass(frozen=True, slots=True)
class QueryResult(Slice):
    """What `query` returns."""

    GO_TYPE: ClassVar[str] = _RESULT

    def samples(self) -> tuple[Sample, ...]:
        return tuple(item for item in self.items if isinstance(item, Sample))


@dataclass(frozen=True, slots=True)
class AlertData(Struct):
    """What the templates of an alerting rule look at."""

    labels: StringMap
    external_labels: StringMap
    external_url: str
    value: float

    GO_TYPE: ClassVar[str] = (
        "struct { Labels map[string]string; ExternalLabels map[string]string; "
        "ExternalURL string; Value interface {} }"
    )
    FIELDS: ClassVar = {
        "Labels": "labels",
        "ExternalLabels": "external_labels",
        "ExternalURL": "external_url",
        "Value": "value",
    }

    @classmethod
    def of(
        cls,
        labels: Mapping[str, str],
        value: float,
        *,
        external_labels: Mapping[str, str],
        external_url: str,
    ) -> "AlertData":
        return cls(StringMap(labels), StringMap(external_labels), external_url, value)


# Evaluates an expression at an instant and returns its elements.
Query = Callable[[str, Timestamp], Sequence[tuple[Labels, float]]]

# Prometheus puts these before the text of every label and annotation.
PRELUDE: Final = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)


def prometheus_functions(
    now: Timestamp, query: Query | None = None, external_url: str = ""
) -> Functions:
    """Return the functions of a rule evaluated at `now`.

    Without `query` they serve to check templates, not to render a query.
    """

    def run_query(expr: str) -> QueryResult:
        if query is None:
            raise FunctionError("queries are not possible here")
        return QueryResult(
            tuple(Sample(StringMap(labels), value) for labels, value in query(expr, now))
        )

    return {
        **_FIXED,
        "query": Function(run_query, (STRING,)),
        "now": Function(lambda: now / SECOND),
        "pathPrefix": Function(lambda: urlsplit(external_url).path),
        "externalURL": Function(lambda: external_url),
    }


def _first(result: QueryResult) -> Sample:
    if not result.items:
        raise FunctionError("first() called on vector with no elements")
    return result.samples()[0]


def _sort_by_label(label: str, result: QueryResult) -> QueryResult:
    ordered = sorted(result.samples(), key=lambda sample: sample.labels.get(label, ""))
    return QueryResult(tuple(ordered))


def _args(*args: object) -> dict[str, object]:
    return {f"arg{number}": arg for number, arg in enumerate(args)}


def _strip_port(address: str) -> str:
    parts = split_host_port(address)
    return address if parts is None else parts[0]


def _strip_domain(address: str) -> str:
    parts = split_host_port(address)
    host, port = (address, "") if parts is None else parts
    if _is_ip(host):
        return address
    host = host.split(".")[0]
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(address: str) -> tuple[str, str] | None:
    """Return host and port as Go's net.SplitHostPort, or None where it gives an error."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return None
    if host.startswith("["):
        inside = host[1:-1]
        well_formed = host.endswith("]") and "[" not in inside and "]" not in inside
        return (inside, port) if well_formed and "]" not in port else None
    return None if any(char in host for char in ":[]") or "]" in port else (host, port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _parse_duration(text: str) -> float:
    sign = -1 if text.startswith("-") else 1
    return sign * parse_duration(text.removeprefix("-")) / SECOND


def _graph_link(expr: str, tab: int) -> str:
    return f"/graph?g0.expr={quote_plus(expr, safe='~')}&g0.tab={tab}"


_FIXED: Final[Functions] = {
    "first": Function(_first, (_RESULT,)),
    "label": Function(lambda name, sample: sample.labels.get(name, ""), (STRING, _SAMPLE)),
    "value": Function(lambda sample: sample.value, (_SAMPLE,)),
    "strvalue": Function(lambda sample: sample.labels.get("__value__", ""), (_SAMPLE,)),
    "args": Function(_args, (), ANY),
    "reReplaceAll": Function(functions.re_replace_all, (STRING, STRING, STRING)),
    "safeHtml": Function(lambda text: text, (STRING,)),
    "match": Function(functions.match, (STRING, STRING)),
    "title": Function(functions.title, (STRING,)),
    "toUpper": Function(lambda text: text.upper(), (STRING,)),
    "toLower": Function(lambda text: text.lower(), (STRING,)),
    "graphLink": Function(lambda expr: _graph_link(expr, 0), (STRING,)),
    "tableLink": Function(lambda expr: _graph_link(expr, 1), (STRING,)),
    "sortByLabel": Function(_sort_by_label, (STRING, _RESULT)),
    "stripPort": Function(_strip_port, (STRING,)),
    "stripDomain": Function(_strip_domain, (STRING,)),
    "humanize": Function(functions.humanize, (ANY,)),
    "humanize1024": Function(functions.humanize1024, (ANY,)),
    "humanizeDuration": Function(functions.humanize_duration, (ANY,)),
    "humanizePercentage": Function(functions.humanize_percentage, (ANY,)),
    "humanizeTimestamp": Function(functions.humanize_timestamp, (ANY,)),
    "toTime": Function(functions.to_time, (ANY,)),
    "toDuration": Function(lambda n: Duration(functions.to_float(n) * NANOSECONDS), (ANY,)),
    "parseDuration": Function(_parse_duration, (STRING,)),
    "urlQueryEscape": Function(lambda text: quote_plus(text, safe="~"), (STRING,)),
}
PROMETHEUS_FUNCTIONS: Final = frozenset(prometheus_functions(0))
