"""`remote_write` and `datasource`: an existing metrics engine beside our own store.

The keys of `remote_write` are prometheus.yml's, with its defaults but for
`retry_on_http_429`. What our store does not hold cannot be sent.
"""

from dataclasses import replace
from typing import Any, Final

from controlplane.config.findings import Findings
from controlplane.config.http_client import HTTP_CLIENT, check_free_header
from controlplane.config.kinds import (
    BOOLEAN,
    DURATION,
    NATURAL,
    POSITIVE_DURATION,
    SIZE,
    TEXT,
    TEXTS,
    member,
)
from controlplane.config.places import URL
from controlplane.config.schema import Key, Kind, Leaf, ListOf, MapOf, Section
from controlplane.config.scrape import RELABEL
from controlplane.errors import InvalidInput
from controlplane.model.marked_yaml import Node, Scalar, Sequence
from controlplane.rules.options import LOCAL
from controlplane.tsdb.remote.options import (
    Datasource,
    MetadataOptions,
    QueueOptions,
    RemoteWrite,
    RemoteWriteSettings,
    WriteMessage,
)

_HEADERS: Final = MapOf("a mapping of headers", TEXT, check_free_header)


def _no_exemplars(node: Scalar) -> bool:
    if BOOLEAN.parse(node):
        raise InvalidInput("a Prometheus key, not supported here: exemplars are not stored")
    return False


QUEUE: Final = Section(
    "queue_config",
    QueueOptions,
    {
        "capacity": Key(NATURAL),
        "max_shards": Key(NATURAL),
        "min_shards": Key(NATURAL),
        "max_samples_per_send": Key(NATURAL),
        "batch_send_deadline": Key(POSITIVE_DURATION),
        "min_backoff": Key(POSITIVE_DURATION),
        "max_backoff": Key(POSITIVE_DURATION),
        "retry_on_http_429": Key(BOOLEAN),
        "sample_age_limit": Key(DURATION),
    },
)
METADATA: Final = Section(
    "metadata_config",
    MetadataOptions,
    {
        "send": Key(BOOLEAN),
        "send_interval": Key(DURATION),
        "max_samples_per_send": Key(NATURAL),
    },
)


def _http_client(**values: Any) -> Any:
    # Prometheus sends samples by HTTP/1.1 unless told otherwise.
    return HTTP_CLIENT.options(**{"enable_http2": False, **values})


def _remote_write(**values: Any) -> RemoteWrite:
    values.pop("send_exemplars", None)
    return RemoteWrite(**values)


REMOTE_WRITE: Final = Section(
    "remote_write",
    _remote_write,
    {
        "url": Key(URL, required=True),
        "name": Key(TEXT),
        "remote_timeout": Key(POSITIVE_DURATION),
        "headers": Key(_HEADERS),
        "write_relabel_configs": Key(ListOf("a list of relabelling steps", RELABEL)),
        "protobuf_message": Key(member(WriteMessage)),
        "send_exemplars": Key(Leaf("false", _no_exemplars)),
        "send_native_histograms": Key(BOOLEAN),
        "queue_config": Key(QUEUE),
        "metadata_config": Key(METADATA),
    },
    inlines={"http_client": replace(HTTP_CLIENT, options=_http_client)},
    unsupported=dict.fromkeys(
        ("sigv4", "azuread", "google_iam", "round_robin_dns", "failed_request_logging"),
        "a Prometheus key",
    ),
)


class RemoteWrites(Kind[tuple[RemoteWrite, ...]]):
    """The list of receivers: no two have the same name, or without names the same URL."""

    __slots__ = ()
    _LIST: Final = ListOf("a list of receivers of samples", REMOTE_WRITE)

    def read(self, node: Node, found: Findings, /) -> tuple[RemoteWrite, ...]:
        remotes = self._LIST.read(node, found)
        first: dict[str, int] = {}
        for place, remote in enumerate(remotes):
            if remote.key in first:
                told = f"name {remote.name!r}" if remote.name else "url, and no name,"
                raise InvalidInput(f"another has this {told} too", pointer=f"/{place}")
            first[remote.key] = place
        return remotes

    def show(self, value: tuple[RemoteWrite, ...]) -> object:
        return self._LIST.show(value)

    def sections(self) -> Any:
        return self._LIST.sections()

    def absent(self, node: Node) -> bool:
        return super().absent(node) or (isinstance(node, Sequence) and not node.items)


REMOTE_WRITE_SETTINGS: Final = Section(
    "remote_write_settings",
    RemoteWriteSettings,
    {"max_size": Key(SIZE), "max_age": Key(DURATION)},
)
DATASOURCE: Final = Section(
    "datasource",
    Datasource,
    {
        "url": Key(URL, required=True),
        "timeout": Key(POSITIVE_DURATION),
        "headers": Key(_HEADERS),
        "params": Key(MapOf("a mapping of lists of texts", TEXTS)),
        "response_size_limit": Key(SIZE),
        "concurrency": Key(NATURAL),
    },
    inlines={"http_client": HTTP_CLIENT},
)


class OwnDatasource(Kind[Datasource | str]):
    """What `rule_settings` says of the engine: one with its options, or `local` for ours."""

    __slots__ = ()

    def read(self, node: Node, found: Findings, /) -> Datasource | str:
        if not isinstance(node, Scalar):
            return DATASOURCE.read(node, found)
        if node.text != LOCAL:
            raise InvalidInput(f"expected {LOCAL}, or a mapping with a url")
        return LOCAL

    def show(self, value: Datasource | str) -> object:
        return value if isinstance(value, str) else DATASOURCE.show(value)

    def sections(self) -> Any:
        return DATASOURCE.sections()
