"""JSON logs: one shape for our own lines and for those of libraries."""

import logging
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Final, TextIO

import structlog
from opentelemetry import trace

from controlplane.model.secret import REDACTED
from controlplane.telemetry.correlation import correlation_id, triggered_by

Logger = structlog.stdlib.BoundLogger

_SECRET_WORDS: Final = (
    "authorization",
    "password",
    "secret",
    "token",
    "api_key",
    "api_url",
    "routing_key",
    "service_key",
    "credentials",
    "cookie",
)


# Without the values of local variables: secrets are among them.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def get_logger(name: str) -> Logger:
    """Return the logger of a module; nothing is set up until `configure_logs`."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def configure_logs(*, level: str = "INFO", json: bool = True, stream: TextIO | None = None) -> None:
    """Send all log lines, also those of libraries, to `stream` (stderr) in one shape.

    `level` is a name that `logging` knows. Raises ValueError for another.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_ids,
        _redact,
        _TRACEBACKS if json else structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries that tell every request at INFO would drown what we say ourselves.
    for chatty in ("httpx", "httpcore", "aiohttp.access", "apscheduler", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _add_ids(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    identifier = correlation_id()
    if identifier:
        event.setdefault("correlation_id", identifier)
    cause = triggered_by()
    if cause:
        event.setdefault("triggered_by", cause)
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event


def _redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in event:
        if _is_secret(key):
            event[key] = REDACTED
    return event


# Names of fields are few, and each is asked for in every line.
@lru_cache(maxsize=4_096)
def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_WORDS)
