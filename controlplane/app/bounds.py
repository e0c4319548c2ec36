"""What the settings mean for each part: where things are kept, and how much is too much."""

from pathlib import Path
from typing import Final

from controlplane.api.limits import Limits
from controlplane.api.observe import INGEST
from controlplane.api.probe import LONGEST_SECONDS
from controlplane.api.stream import sse
from controlplane.config.config import Config
from controlplane.errors import Unavailable
from controlplane.ingest.options import MOST_BYTES
from controlplane.model.duration import format_duration
from controlplane.model.secret import Secret
from controlplane.promql.options import EngineOptions
from controlplane.settings.settings import Settings
from controlplane.tsdb.options import StoreOptions

# A reader of the stream comes back after so many seconds, to where it was.
_LONGEST_STREAM: Final = 3600.0


def make_directory(directory: Path) -> None:
    """Make the data directory, for nobody else to read. Raises Unavailable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"data directory {directory}: {error.strerror}") from None


def database_url(settings: Settings, config: Config) -> Secret | str:
    """Return where the database is: what the file says, else a file in the data directory."""
    if config.storage.url is not None:
        return config.storage.url
    return f"sqlite:///{settings.data_dir / 'controlplane.db'}"


def store_options(settings: Settings) -> StoreOptions:
    """Return the bounds of the sample store."""
    return StoreOptions(
        retention=settings.retention,
        retention_size=settings.retention_size,
        head_window=settings.head_window,
        max_series=settings.max_series,
    )


def engine_options(settings: Settings, config: Config) -> EngineOptions:
    """Return the bounds of queries."""
    return EngineOptions(
        lookback=settings.query_lookback,
        timeout=settings.query_timeout,
        max_samples=settings.query_max_samples,
        default_step=config.global_.evaluation_interval,
    )


def limits(settings: Settings) -> Limits:
    """Return the bounds of requests, path by path."""
    # The engine ends a query itself; the answer has yet to be written then.
    query = (settings.query_timeout + settings.request_timeout) / 1000
    return Limits(
        body=settings.max_body,
        seconds=settings.request_timeout / 1000,
        longer={
            "/prometheus/api/v1/": query,
            # A replay asks for each metric of a policy, over days.
            "/api/v1/autoscaling/": query,
            "/query": query,
            "/rules/": query,
            "/probe": LONGEST_SECONDS,
            sse.PATH: _LONGEST_STREAM,
        },
        # Bodies as large as the protocols of ingestion let them be.
        larger=dict.fromkeys(INGEST, max(settings.max_body, MOST_BYTES)),
    )


def flags(settings: Settings) -> dict[str, str]:
    """Return the settings that Prometheus has too, under its names, and the replica's."""
    return {
        "config.file": str(settings.config or ""),
        "query.lookback-delta": format_duration(settings.query_lookback),
        "query.max-concurrency": str(settings.query_concurrency),
        "query.max-samples": str(settings.query_max_samples),
        "query.timeout": format_duration(settings.query_timeout),
        "replica": settings.replica,
        "storage.tsdb.path": str(settings.data_dir / "samples"),
        "storage.tsdb.retention.time": format_duration(settings.retention),
        "web.enable-admin-api": str(settings.admin_api).lower(),
        "web.enable-otlp-receiver": "true",
        "web.enable-remote-write-receiver": "true",
        "web.external-url": settings.external_url,
        "web.listen-address": str(settings.listen),
    }
