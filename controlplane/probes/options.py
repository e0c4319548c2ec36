"""The options of a module, spelled as blackbox.yml spells them (blackbox_exporter 0.28).

All keys of the `http` and `tcp` probers except the two that take CEL. Regular
expressions are RE2 patterns that compile, searched for anywhere in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.clock import Duration
from controlplane.transport.options import HTTPClientConfig, TLSConfig


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A condition on a response header; one that is missing fails unless allowed."""

    header: str
    regexp: str
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class HTTPProbe:
    """The key `http` of a module.

    `no_follow_redirects` arrives as `http_client_config.follow_redirects`;
    the keys of `http_client_config` stand beside the others in YAML.
    `body_size_limit` is in bytes, 0 for none. At most one of `body` and
    `body_file` is set; the file is read anew at each probe.
    """

    valid_status_codes: tuple[int, ...] = ()
    valid_http_versions: tuple[str, ...] = ()
    preferred_ip_protocol: str = "ip6"
    ip_protocol_fallback: bool = True
    skip_resolve_phase_with_proxy: bool = False
    fail_if_ssl: bool = False
    fail_if_not_ssl: bool = False
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    fail_if_body_matches_regexp: tuple[str, ...] = ()
    fail_if_body_not_matches_regexp: tuple[str, ...] = ()
    fail_if_header_matches: tuple[HeaderMatch, ...] = ()
    fail_if_header_not_matches: tuple[HeaderMatch, ...] = ()
    body: str = ""
    body_file: str = ""
    compression: str = ""
    body_size_limit: int = 0
    enable_http3: bool = False
    http_client_config: HTTPClientConfig = field(default_factory=HTTPClientConfig)


@dataclass(frozen=True, slots=True)
class QueryLabel:
    """A label of `probe_expect_info`; `value` may refer to groups of `expect`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """One step of a conversation: expect something, send something, switch to TLS.

    At most one of `expect` and `expect_bytes` is set.
    """

    expect: str = ""
    expect_bytes: str = ""
    labels: tuple[QueryLabel, ...] = ()
    send: str = ""
    starttls: bool = False


@dataclass(frozen=True, slots=True)
class TCPProbe:
    """The key `tcp` of a module."""

    preferred_ip_protocol: str = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    query_response: tuple[QueryResponse, ...] = ()
    tls: bool = False
    tls_config: TLSConfig = field(default_factory=TLSConfig)


@dataclass(frozen=True, slots=True)
class Module:
    """How to probe: a prober of the table, its options, and a time-out (0 for none)."""

    prober: str
    timeout: Duration = 0
    http: HTTPProbe = HTTPProbe()
    tcp: TCPProbe = TCPProbe()
