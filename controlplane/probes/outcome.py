"""What a probe found: values under a fixed layout of series, a reason, evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

# How much of a response body is kept as evidence, in bytes.
EVIDENCE_BODY: Final = 4096


class Reason(StrEnum):
    """Why a probe failed. A closed set: `probe_failure_info` has one of these."""

    DNS = "dns"  # the name did not resolve
    CONNECT = "connect"  # refused, unreachable
    TLS = "tls"  # the handshake or the certificate
    TIMEOUT = "timeout"
    CLOSED = "closed"  # the peer closed or reset the connection half-way
    PROTOCOL = "protocol"  # not HTTP, or a version that is not wanted
    STATUS = "status"
    HEADER = "header"
    BODY = "body"
    SIZE = "size"
    SSL = "ssl"  # TLS was used and must not be, or the other way round
    REDIRECT = "redirect"
    EXPECT = "expect"  # a step of `query_response` did not match
    AUTH = "auth"  # no token could be had
    PROXY = "proxy"
    POLICY = "policy"  # the outbound policy denies the address
    CONFIG = "config"  # the module cannot be used, or is gone
    OVERLOAD = "overload"  # no room for it within its time
    INTERNAL = "internal"  # a fault of our own, counted and logged


# A series without its target's labels: name, then label pairs sorted by name.
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


class Layout:
    """The series of an outcome, in the order of its values. Compared by identity."""

    __slots__ = ("series",)

    def __init__(self, series: tuple[SeriesKey, ...]) -> None:
        self.series = series

    def __len__(self) -> int:
        return len(self.series)


@lru_cache(maxsize=65_536)
def layout(series: tuple[SeriesKey, ...]) -> Layout:
    """Return the one Layout of these series, so that a steady probe keeps its own."""
    return Layout(series)


EMPTY_LAYOUT: Final = layout(())


@dataclass(frozen=True, slots=True)
class ProbeSample:
    """One sample with the labels of its own, without those of its target."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen when a probe failed: enough to tell the story, and no secrets.

    `phases` are seconds by name (resolve, connect, tls, processing, transfer);
    `body` is the start of it, at most EVIDENCE_BODY bytes, decoded with
    replacement; `certificate` one line on the leaf; `log` what happened, in order.
    """

    error: str
    phases: tuple[tuple[str, float], ...] = ()
    peer: str = ""
    url: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    certificate: str = ""
    log: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """The end of one probe. `duration` is seconds; `reason` and `evidence` on failure.

    `values[i]` belongs to `layout.series[i]`. The series that every probe has
    (`probe_success`, `probe_duration_seconds` ...) are added by whoever stores
    or shows it.
    """

    success: bool
    duration: float
    layout: Layout = EMPTY_LAYOUT
    values: tuple[float, ...] = ()
    reason: Reason | None = None
    evidence: Evidence | None = None

    def samples(self) -> Iterator[ProbeSample]:
        """Yield the prober's own samples."""
        for (name, labels), value in zip(self.layout.series, self.values, strict=True):
            yield ProbeSample(name, value, labels)


def outcome_of(
    samples: Iterable[ProbeSample],
    duration: float,
    reason: Reason | None = None,
    evidence: Evidence | None = None,
) -> Outcome:
    """Return the outcome of samples listed one by one; it is a success without a reason."""
    listed = tuple(samples)
    series = tuple((sample.name, tuple(sorted(sample.labels))) for sample in listed)
    values = tuple(sample.value for sample in listed)
    return Outcome(reason is None, duration, layout(series), values, reason, evidence)
