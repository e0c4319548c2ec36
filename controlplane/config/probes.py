"""`modules`: blackbox.yml's table of ways to probe (blackbox_exporter 0.28, without CEL)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from controlplane.config.http_client import HTTP_CLIENT, TLS, check_header
from controlplane.config.kinds import (
    BOOLEAN,
    GO_DURATION,
    INTEGER,
    NAME,
    REGEX,
    REGEXES,
    SIZE,
    TEXT,
    TEXTS,
    choice,
)
from controlplane.config.places import PATH
from controlplane.config.schema import Key, Leaf, ListOf, Made, MapOf, Section
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Scalar
from controlplane.probes.options import (
    HeaderMatch,
    HTTPProbe,
    Module,
    QueryLabel,
    QueryResponse,
    TCPProbe,
)

_BLACKBOX: Final = "a blackbox_exporter key"
_FOREIGN_PROBERS: Final = ("dns", "grpc", "icmp", "unix", "websocket")
_HTTP_3: Final = "HTTP/3.0"


def _ip_protocol(node: Scalar) -> str:
    if node.text not in ("", "ip4", "ip6"):
        raise InvalidInput(f"expected ip4 or ip6, not {node.text!r}")
    return node.text or "ip6"


_IP_PROTOCOL: Final = Leaf("ip4 or ip6", _ip_protocol)


def _header_value(node: Scalar) -> str:
    if "\r" in node.text or "\n" in node.text:
        raise InvalidInput("a header's value cannot hold a line break")
    return node.text


_HEADER_MATCH: Final = Section(
    "http_header_match",
    HeaderMatch,
    {
        "header": Key(NAME, required=True),
        "regexp": Key(REGEX, required=True),
        "allow_missing": Key(BOOLEAN),
    },
)
_HEADER_MATCHES: Final = ListOf("a list of header matches", _HEADER_MATCH)


def _http(*, no_follow_redirects: bool | None = None, **values: Any) -> HTTPProbe:
    probe = HTTPProbe(**values)
    if no_follow_redirects is not None:
        client = replace(probe.http_client_config, follow_redirects=not no_follow_redirects)
        probe = replace(probe, http_client_config=client)
    for pointer, reason in _http_problems(probe):
        raise InvalidInput(reason, pointer=pointer)
    return probe


def _http_problems(probe: HTTPProbe) -> Iterator[tuple[str, str]]:
    if probe.body and probe.body_file:
        yield "/body_file", "at most one of body & body_file must be configured"
    for name, value in probe.headers.items():
        if name.lower() == "accept-encoding" and not _accepts(value, probe.compression):
            yield (
                f"/headers/{name}",
                f"{name}: {value} does not accept compression: {probe.compression}",
            )
    versions = probe.valid_http_versions
    if _HTTP_3 in versions and not probe.enable_http3:
        yield "/valid_http_versions", f"{_HTTP_3} needs enable_http3: true"
    if probe.enable_http3:
        if any(version != _HTTP_3 for version in versions):
            yield "/valid_http_versions", f"with enable_http3 only {_HTTP_3} can be valid"
        if probe.http_client_config.enable_http2:
            yield "/enable_http3", "with enable_http3, enable_http2 must be set to false"


def _accepts(header: str, compression: str) -> bool:
    """Tell whether an Accept-Encoding asks for the compression with a quality above 0.

    Either being empty is in order. The first entry by quality that names it, or `*`, decides.
    """
    if not header or not compression:
        return True
    entries = [_encoding(part) for part in header.split(",")]
    ordered = sorted(entries, key=lambda entry: -entry[1])
    return next((quality > 0 for name, quality in ordered if name in (compression, "*")), False)


def _encoding(part: str) -> tuple[str, float]:
    name, _, parameter = part.rpartition(";") if ";" in part else (part, "", "q=1")
    try:
        quality = round(float(parameter.strip().removeprefix("q=")), 3)
    except ValueError:
        quality = 0.0
    return name.strip(), quality


HTTP: Final = Section(
    "http_probe",
    _http,
    {
        "valid_status_codes": Key(ListOf("a list of status codes", INTEGER)),
        "valid_http_versions": Key(TEXTS),
        "method": Key(NAME),
        "headers": Key(MapOf("a mapping of headers", Leaf("a text", _header_value), check_header)),
        "body": Key(TEXT),
        "body_file": Key(PATH),
        "body_size_limit": Key(SIZE),
        "compression": Key(choice("", "gzip", "br", "deflate", "identity")),
        "fail_if_ssl": Key(BOOLEAN),
        "fail_if_not_ssl": Key(BOOLEAN),
        "fail_if_body_matches_regexp": Key(REGEXES),
        "fail_if_body_not_matches_regexp": Key(REGEXES),
        "fail_if_header_matches": Key(_HEADER_MATCHES),
        "fail_if_header_not_matches": Key(_HEADER_MATCHES),
        "no_follow_redirects": Key(BOOLEAN),
        "preferred_ip_protocol": Key(_IP_PROTOCOL),
        "ip_protocol_fallback": Key(BOOLEAN),
        "skip_resolve_phase_with_proxy": Key(BOOLEAN),
        "enable_http3": Key(BOOLEAN),
    },
    inlines={"http_client_config": HTTP_CLIENT},
    unsupported=dict.fromkeys(
        ("fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel"), _BLACKBOX
    ),
)


def _query_response(**values: Any) -> QueryResponse:
    step = QueryResponse(**values)
    if step.expect and step.expect_bytes:
        raise InvalidInput(
            "at most one of expect & expect_bytes must be configured", pointer="/expect_bytes"
        )
    return step


_QUERY_LABEL: Final = Section(
    "query_label", QueryLabel, {"name": Key(NAME, required=True), "value": Key(TEXT, required=True)}
)
_QUERY_RESPONSE: Final = Section(
    "query_response",
    _query_response,
    {
        "expect": Key(REGEX),
        "expect_bytes": Key(TEXT),
        "labels": Key(ListOf("a list of labels", _QUERY_LABEL)),
        "send": Key(TEXT),
        "starttls": Key(BOOLEAN),
    },
)

TCP: Final = Section(
    "tcp_probe",
    TCPProbe,
    {
        "preferred_ip_protocol": Key(_IP_PROTOCOL),
        "ip_protocol_fallback": Key(BOOLEAN),
        "source_ip_address": Key(TEXT),
        "query_response": Key(ListOf("a list of steps", _QUERY_RESPONSE)),
        "tls": Key(BOOLEAN),
        "tls_config": Key(TLS),
    },
)


def _prober(node: Scalar) -> str:
    if node.text in ("http", "tcp"):
        return node.text
    if node.text in _FOREIGN_PROBERS:
        raise InvalidInput(f"{node.text}: a blackbox_exporter prober, not supported here")
    raise InvalidInput(f"expected http or tcp, not {node.text!r}")


MODULE: Final = Section(
    "module",
    Module,
    {
        "prober": Key(Leaf("http or tcp", _prober), required=True),
        "timeout": Key(GO_DURATION),
        "http": Key(HTTP),
        "tcp": Key(TCP),
    },
    unsupported=dict.fromkeys(_FOREIGN_PROBERS, _BLACKBOX),
)

# What exists without a file. A module of the same name in the file takes its place.
# These prefer IPv4, unlike a module of a file: a name with addresses of both kinds,
# such as localhost, often has its server on the older kind only.
DEFAULT_MODULES: Final[Mapping[str, Module]] = {
    "http_2xx": Module("http", http=HTTPProbe(preferred_ip_protocol="ip4")),
    "tcp_connect": Module("tcp", tcp=TCPProbe(preferred_ip_protocol="ip4")),
    "tls_connect": Module("tcp", tcp=TCPProbe(preferred_ip_protocol="ip4", tls=True)),
}


def _check_module_name(name: str) -> str:
    if not name:
        raise InvalidInput("a module needs a name")
    return name


def _with_defaults(modules: dict[str, Module]) -> dict[str, Module]:
    return {**DEFAULT_MODULES, **modules}


def _show_module(module: Module) -> object:
    """Return a module without the options of the prober that it does not use."""
    unused = {"http": "tcp", "tcp": "http"}[module.prober]
    plain = MODULE.show(module)
    return {key: held for key, held in plain.items() if key != unused}


MODULES: Final = Made(
    MapOf("a mapping of modules", MODULE, _check_module_name),
    _with_defaults,
    lambda modules: {name: _show_module(module) for name, module in modules.items()},
)
