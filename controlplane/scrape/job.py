"""A target as it is scraped, how a scrape can fail, and what is known of the last one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.duration import SECOND
from controlplane.model.labels import EMPTY, Labels
from controlplane.scrape.options import ScrapeConfig, ScrapeProtocol


class Failure(StrEnum):
    """Why a scrape failed. A closed set."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"  # the connection ended before the body did
    PROTOCOL = "protocol"  # not HTTP, or HTTP gone wrong
    REDIRECT = "redirect"
    AUTH = "auth"  # no token could be had
    PROXY = "proxy"
    POLICY = "policy"  # the outbound policy denies the address
    STATUS = "status"  # any but 200
    SIZE = "size"
    ENCODING = "encoding"  # compressed in a way that cannot be undone
    CONTENT_TYPE = "content_type"
    PARSE = "parse"
    LABELS = "labels"  # a label set that cannot be stored
    LABEL_LIMIT = "label_limit"
    SAMPLE_LIMIT = "sample_limit"
    TARGET_LIMIT = "target_limit"
    SERIES_LIMIT = "series_limit"  # the store holds as many series as it may
    CONFIG = "config"  # the request cannot be made as it is configured
    OVERLOAD = "overload"  # no room for it within its time
    INTERNAL = "internal"  # a fault of our own, counted and logged


class ScrapeFailed(Exception):
    """How the steps of a scrape end it early; it never leaves this package."""

    def __init__(self, failure: Failure, error: str) -> None:
        super().__init__(error)
        self.failure = failure
        self.error = error


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """One target of the pool, named by `key`.

    `labels` are put on all its series, `job` and `instance` among them;
    `discovered` is what they were before relabelling. `refused` is the reason
    why it may not be scraped: it then only reports `up 0`.
    """

    key: str
    url: str
    labels: Labels
    interval: Duration
    timeout: Duration
    config: ScrapeConfig
    discovered: Labels = EMPTY
    refused: str = ""


# A registered service need not say what format it serves.
REGISTERED: Final = ScrapeConfig(
    job_name="registered", fallback_scrape_protocol=ScrapeProtocol.TEXT_0_0_4
)


def registered_job(
    key: str, url: str, labels: Labels, interval: Duration, timeout: Duration = 10 * SECOND
) -> ScrapeJob:
    """Return the job of a registered target's `metrics_url`."""
    return ScrapeJob(key, url, labels, interval, min(timeout, interval), REGISTERED)


class Health(StrEnum):
    """What the last scrape of a target said of it."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ScrapeStatus:
    """A target and its last scrape; `last_duration` is in seconds."""

    job: ScrapeJob
    health: Health = Health.UNKNOWN
    last_scrape: Timestamp | None = None
    last_duration: float = 0.0
    last_error: str = ""
    failure: Failure | None = None
    samples: int = 0
