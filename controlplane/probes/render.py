"""A probe on demand as text: Prometheus' exposition format, and the page for people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Final

import yaml

from controlplane.model.duration import format_duration
from controlplane.model.secret import REDACTED, Secret
from controlplane.probes.once import Asked
from controlplane.probes.outcome import ProbeSample

# Request headers that modules give in clear text and nobody else should read.
_SECRET_HEADERS: Final = frozenset(("authorization", "proxy-authorization", "cookie", "x-api-key"))
_USER_INFO: Final = re.compile("//[^/]*@")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# Every metric that a probe can have, with what it means.
HELP: Final[Mapping[str, str]] = {
    "probe_success": "Whether the probe was a success",
    "probe_duration_seconds": "How long the probe took",
    "probe_timeout_seconds": "How long the probe was allowed to take",
    "probe_failure_info": "Why the probe failed",
    "probe_dns_lookup_time_seconds": "How long the lookup of the target's name took",
    "probe_ip_protocol": "The version of the address that was used, 4 or 6",
    "probe_ip_addr_hash": "A hash of the address that was used; it tells when that changes",
    "probe_http_duration_seconds": "How long each phase took, summed over all redirects",
    "probe_http_content_length": "The length that the response announced, -1 for none",
    "probe_http_uncompressed_body_length": "The length of the body, decompressed",
    "probe_http_redirects": "How many redirects there were",
    "probe_http_ssl": "Whether the final request was over TLS",
    "probe_http_status_code": "The status of the response",
    "probe_http_version": "The version of HTTP of the response",
    "probe_http_last_modified_timestamp_seconds": "The Last-Modified header, in Unix time",
    "probe_failed_due_to_regex": "Whether a regular expression failed the probe",
    "probe_failed_due_to_bytes": "Whether the bytes received failed the probe",
    "probe_expect_info": "What was found in the peer's words",
    "probe_ssl_earliest_cert_expiry": "When the first certificate of the chain ends, in Unix time",
    "probe_ssl_last_chain_expiry_timestamp_seconds": (
        "When the last of the chains that can be trusted ends, in Unix time"
    ),
    "probe_ssl_last_chain_info": "What the leaf certificate says",
    "probe_tls_version_info": "The version of TLS that was used",
    "probe_tls_cipher_info": "The cipher suite that was used",
}


def render_metrics(asked: Asked) -> str:
    """Return the samples of a probe in Prometheus' text format, metrics in order of name."""
    families: dict[str, list[ProbeSample]] = {}
    for sample in _samples(asked):
        families.setdefault(sample.name, []).append(sample)
    lines: list[str] = []
    for name in sorted(families):
        lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
        lines += [_line(sample) for sample in families[name]]
    return "\n".join(lines) + "\n"


def render_debug(asked: Asked) -> str:
    """Return the page of `debug=true`: what happened, the metrics, the module without secrets."""
    evidence = asked.outcome.evidence
    log = list(evidence.log) if evidence is not None else []
    log.append(_verdict(asked))
    module = yaml.safe_dump(_plain(asked.module), sort_keys=False, allow_unicode=True)
    target = _USER_INFO.sub(f"//{REDACTED}@", asked.target)
    heading = f"module {asked.module_name}, target {target}, timeout {asked.timeout:g}s"
    return (
        f"Logs for the probe:\n{heading}\n"
        + "".join(f"{line}\n" for line in log)
        + f"\n\n\nMetrics that would have been returned:\n{render_metrics(asked)}"
        + f"\n\n\nModule configuration:\n{module}"
    )


def _verdict(asked: Asked) -> str:
    outcome = asked.outcome
    if outcome.reason is None:
        return f"probe succeeded after {outcome.duration:.6f}s"
    error = outcome.evidence.error if outcome.evidence is not None else ""
    return f"probe failed after {outcome.duration:.6f}s: {outcome.reason.value}: {error}"


def _samples(asked: Asked) -> list[ProbeSample]:
    outcome = asked.outcome
    samples = [
        ProbeSample("probe_success", float(outcome.success)),
        ProbeSample("probe_duration_seconds", outcome.duration),
        ProbeSample("probe_timeout_seconds", asked.timeout),
        *outcome.samples(),
    ]
    if outcome.reason is not None:
        reason = (("reason", outcome.reason.value),)
        samples.append(ProbeSample("probe_failure_info", 1.0, reason))
    return samples


def _line(sample: ProbeSample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
    shown = f"{sample.name}{{{labels}}}" if labels else sample.name
    value = sample.value
    return f"{shown} {int(value) if value == int(value) and abs(value) < 1e21 else repr(value)}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _shown(name: str, value: object) -> object:
    if name == "timeout" and isinstance(value, int):
        return format_duration(value)
    if name in ("proxy_url", "token_url") and isinstance(value, str):
        return _USER_INFO.sub(f"//{REDACTED}@", value)
    return _plain(value)


def _plain(value: object) -> object:
    """Return options as YAML can write them, what is at its default left out."""
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        blank = type(value).__dataclass_fields__
        shown = {field.name: getattr(value, field.name) for field in fields(value)}
        return {
            name: _shown(name, each)
            for name, each in shown.items()
            if each not in (None, "", (), {}) and each != blank[name].default
        }
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED if str(key).lower() in _SECRET_HEADERS else _plain(each)
            for key, each in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
