"""`remote_write` and `datasource`: where samples are sent, and where expressions are asked.

The keys and defaults of `remote_write` are prometheus.yml's (config/config.go),
but for `retry_on_http_429`, which is true here: a receiver that asks for
patience is given it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from controlplane.clock import Duration
from controlplane.errors import InvalidInput
from controlplane.model.duration import DAY, MINUTE, SECOND
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.relabel import RelabelConfig
from controlplane.transport.options import HTTPClientConfig


class WriteMessage(StrEnum):
    """The protobuf message of a request: version 1 or 2 of the protocol."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How samples are cut into requests, and how long a request is tried.

    A shard sends one request after the other; each series belongs to one. At
    most `capacity` samples a shard are in memory. `sample_age_limit` 0 is none.
    Raises InvalidInput.
    """

    capacity: int = 10_000
    max_shards: int = 50
    min_shards: int = 1
    max_samples_per_send: int = 2_000
    batch_send_deadline: Duration = 5 * SECOND
    min_backoff: Duration = 30
    max_backoff: Duration = 5 * SECOND
    retry_on_http_429: bool = True
    sample_age_limit: Duration = 0

    def __post_init__(self) -> None:
        for name in ("capacity", "max_shards", "min_shards", "max_samples_per_send"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be at least 1", pointer=f"/{name}")
        if self.min_shards > self.max_shards:
            raise InvalidInput("min_shards is above max_shards", pointer="/min_shards")
        if self.min_backoff > self.max_backoff:
            raise InvalidInput("min_backoff is above max_backoff", pointer="/min_backoff")


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """Whether and how often types and helps of metrics are sent (version 1 of the protocol)."""

    send: bool = True
    send_interval: Duration = MINUTE
    max_samples_per_send: int = 2_000

    def __post_init__(self) -> None:
        if self.max_samples_per_send < 1:
            raise InvalidInput(
                "max_samples_per_send must be at least 1", pointer="/max_samples_per_send"
            )
        if self.send and self.send_interval < 1:
            raise InvalidInput("send_interval must be above 0", pointer="/send_interval")


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """One receiver. The URL may carry a password, so it is not shown."""

    url: str = field(repr=False)
    name: str = ""
    remote_timeout: Duration = 30 * SECOND
    headers: Mapping[str, str] = field(default_factory=dict)
    write_relabel_configs: tuple[RelabelConfig, ...] = ()
    protobuf_message: WriteMessage = WriteMessage.V1
    send_native_histograms: bool = False
    queue_config: QueueOptions = field(default_factory=QueueOptions)
    metadata_config: MetadataOptions = field(default_factory=MetadataOptions)
    http_client: HTTPClientConfig = field(
        default_factory=lambda: HTTPClientConfig(enable_http2=False)
    )

    @property
    def key(self) -> str:
        """What the receiver is called in metrics and logs: its name, else of its URL.

        It also names the receiver's place in the log, so that any other key
        may change and nothing is sent twice or left out.
        """
        return self.name or sha256(self.url.encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class RemoteWriteSettings:
    """How much is kept for a receiver that does not answer; beyond that the oldest is dropped.

    `max_size` is of the log in bytes, which is not truncated before it was sent;
    `max_age` is of samples. 0 is no bound.
    """

    max_size: int = 4 << 30
    max_age: Duration = DAY


@dataclass(frozen=True, slots=True)
class RemoteWriteOptions:
    """What the configuration says of remote write; no two remotes have the same key."""

    remotes: Sequence[RemoteWrite] = ()
    external_labels: Labels = EMPTY
    settings: RemoteWriteSettings = field(default_factory=RemoteWriteSettings)


@dataclass(frozen=True, slots=True)
class Datasource:
    """A query API of Prometheus' shape, at `url` + `/api/v1/query`.

    `params` go along with every question, `headers` too (a tenant's
    X-Scope-OrgID, say). An answer of more than `response_size_limit` bytes is
    refused; at most `concurrency` questions are under way at once.
    """

    url: str = field(repr=False)
    timeout: Duration = 30 * SECOND
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    response_size_limit: int = 64 << 20
    concurrency: int = 8
    http_client: HTTPClientConfig = field(default_factory=HTTPClientConfig)

    def __post_init__(self) -> None:
        for name in ("timeout", "response_size_limit", "concurrency"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be above 0", pointer=f"/{name}")
