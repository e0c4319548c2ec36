"""What `scrape_configs` of prometheus.yml says, key by key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.relabel import RelabelConfig
from controlplane.transport.options import HTTPClientConfig


class ScrapeProtocol(StrEnum):
    """A format that a target may be asked for, as prometheus.yml names it."""

    OPENMETRICS_1_0_0 = "OpenMetricsText1.0.0"
    OPENMETRICS_0_0_1 = "OpenMetricsText0.0.1"
    TEXT_1_0_0 = "PrometheusText1.0.0"
    TEXT_0_0_4 = "PrometheusText0.0.4"
    PROTOBUF = "PrometheusProto"


DEFAULT_PROTOCOLS: Final = (
    ScrapeProtocol.OPENMETRICS_1_0_0,
    ScrapeProtocol.OPENMETRICS_0_0_1,
    ScrapeProtocol.TEXT_1_0_0,
    ScrapeProtocol.TEXT_0_0_4,
)
# Where native histograms are wanted, which no other format has.
NATIVE_PROTOCOLS: Final = (ScrapeProtocol.PROTOBUF, *DEFAULT_PROTOCOLS)

# A body is never read further than this, whatever `body_size_limit` says.
MAX_BODY_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """`static_configs`: addresses (`host:port`) that share labels."""

    targets: tuple[str, ...]
    labels: Labels = EMPTY


@dataclass(frozen=True, slots=True)
class FileSdConfig:
    """`file_sd_configs`: files, or globs in their last part, that list target groups.

    A changed file is seen within seconds; every `refresh_interval` all are
    read anew whether changed or not.
    """

    files: tuple[str, ...]
    refresh_interval: Duration = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class ScrapeConfig:
    """One entry of `scrape_configs`. Limits of 0 mean none. Raises InvalidInput.

    `http_client` holds the keys of prometheus.yml that stand beside the others
    there: basic_auth, authorization, oauth2, tls_config, proxy_url, no_proxy,
    follow_redirects, enable_http2, http_headers and their like. Defaults that
    come from `global` are filled in by whoever reads the file.
    """

    job_name: str
    scrape_interval: Duration = MINUTE
    scrape_timeout: Duration = 10 * SECOND
    scrape_protocols: tuple[ScrapeProtocol, ...] = DEFAULT_PROTOCOLS
    fallback_scrape_protocol: ScrapeProtocol | None = None
    metrics_path: str = "/metrics"
    scheme: str = "http"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    honor_labels: bool = False
    honor_timestamps: bool = True
    track_timestamps_staleness: bool = False
    enable_compression: bool = True
    extra_scrape_metrics: bool = False
    scrape_native_histograms: bool = False
    always_scrape_classic_histograms: bool = False
    convert_classic_histograms_to_nhcb: bool = False
    body_size_limit: int = 0  # bytes, after decompression
    sample_limit: int = 0
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0
    target_limit: int = 0
    keep_dropped_targets: int = 0
    http_client: HTTPClientConfig = field(default_factory=HTTPClientConfig)
    static_configs: tuple[StaticConfig, ...] = ()
    file_sd_configs: tuple[FileSdConfig, ...] = ()
    relabel_configs: tuple[RelabelConfig, ...] = ()
    metric_relabel_configs: tuple[RelabelConfig, ...] = ()

    def __post_init__(self) -> None:
        if not self.job_name:
            raise InvalidInput("job_name is empty", pointer="/job_name")
        if self.scrape_interval <= 0:
            raise InvalidInput("scrape_interval must be above zero", pointer="/scrape_interval")
        if not 0 < self.scrape_timeout <= self.scrape_interval:
            raise InvalidInput(
                "scrape_timeout must be above zero and not above scrape_interval",
                pointer="/scrape_timeout",
            )
        if self.scheme not in ("http", "https"):
            raise InvalidInput("scheme must be http or https", pointer="/scheme")
        if not self.scrape_protocols or len(set(self.scrape_protocols)) < len(
            self.scrape_protocols
        ):
            raise InvalidInput(
                "scrape_protocols must name at least one protocol and none twice",
                pointer="/scrape_protocols",
            )
