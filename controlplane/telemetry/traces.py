"""Spans, where an OTLP endpoint is set; nearly nothing where none is.

The correlation id is an attribute of every span, and trace ids stand in the
log lines (`logs.py`), so one leads to the other. The id of a trace that begins
here is a hash of the correlation id: so an evaluation, the flush it leads to
and each attempt to deliver are one trace, though minutes, a database row and
perhaps a restart lie between them. Whether it is recorded follows from the id
too, so that no span is made of what is not: a span costs more than its work.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from controlplane import __version__
from controlplane.errors import InvalidInput
from controlplane.model.secret import Secret
from controlplane.telemetry.correlation import correlation_id, triggered_by

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator

Attribute = str | bool | int | float

_PARENT: Final = "traceparent"
# The part of a trace's id that the SDK's sampler looks at.
_LOW_BITS: Final = (1 << 64) - 1
_TRACES_PATH: Final = "/v1/traces"
_EXPORT_SECONDS: Final = 5.0
_OFF: Final[AbstractContextManager[Span]] = nullcontext(trace.INVALID_SPAN)


class Tracing:
    """Whether spans are made, and where they go. Off until `start`."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._bound = 0

    def start(self, exporter: "SpanExporter", *, ratio: float, replica: str) -> None:
        """Record this share of traces, 0 to 1; one that began elsewhere follows its parent."""
        # The SDK is of use, and worth its time to load, only where traces are wanted.
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415
            ParentBasedTraceIdRatio,
            TraceIdRatioBased,
        )

        # It says "queue full" for each span that it drops while the collector is away.
        logging.getLogger("opentelemetry.sdk").setLevel(logging.ERROR)
        attributes = {
            "service.name": "controlplane",
            "service.version": __version__,
            "service.instance.id": replica,
        }
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(ratio),
            resource=Resource.create(attributes),
            id_generator=_correlated_ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._bound = TraceIdRatioBased.get_bound_for_rate(ratio)
        self._tracer = self._provider.get_tracer("controlplane", __version__)

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
        """Return a context that is one span: part of the one around it, ended with the block."""
        if self._tracer is None or self._left_out():
            return _OFF
        return _recorded(self._tracer, name, attributes)

    def answering(
        self, name: str, headers: Mapping[str, str], **attributes: Attribute
    ) -> AbstractContextManager[Span]:
        """Return a span for a request that came in: part of the caller's trace if it names one."""
        if self._tracer is None or (_PARENT not in headers and self._left_out()):
            return _OFF
        parent = TraceContextTextMapPropagator().extract(headers)
        return _recorded(self._tracer, name, attributes, parent, SpanKind.SERVER)

    def _left_out(self) -> bool:
        """Tell whether a trace that would begin here is not recorded, as the sampler would say."""
        identifier = correlation_id()
        if not identifier or trace.get_current_span().get_span_context().is_valid:
            return False
        return trace_id_of(identifier) & _LOW_BITS >= self._bound

    def close(self, timeout: float = 3.0) -> bool:
        """Send what waits, for at most `timeout` seconds; tell whether all of that went out.

        It blocks: from an event loop call it in a thread.
        """
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is None:
            return True
        # The SDK's own limit is 30 s, so it is left behind when it takes too long.
        ending = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(timeout)
        return not ending.is_alive()


# The one of this process: spans are made wherever work is done, as log lines are.
TRACING: Final = Tracing()


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
    """Return a context that is one span of this process, or does nothing while traces are off."""
    return TRACING.span(name, **attributes)


def answering(
    name: str, headers: Mapping[str, str], **attributes: Attribute
) -> AbstractContextManager[Span]:
    """Return the span of a request with these headers (lower case; `traceparent` is honoured)."""
    return TRACING.answering(name, headers, **attributes)


def exemplar() -> dict[str, str] | None:
    """Return what leads from a measurement here to its trace; None when nobody records one."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.trace_flags.sampled else None


def configure_traces(
    endpoint: str, *, ratio: float, replica: str, headers: Secret | None = None
) -> None:
    """Send spans to an OTLP/HTTP collector at a base URL; none when it is empty.

    `headers` is text as in OTEL_EXPORTER_OTLP_HEADERS. Raises InvalidInput.
    """
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    exporter = OTLPSpanExporter(
        endpoint=endpoint.rstrip("/") + _TRACES_PATH,
        headers=_parse_headers("" if headers is None else headers.reveal()),
        timeout=_EXPORT_SECONDS,
    )
    TRACING.start(exporter, ratio=ratio, replica=replica)


@contextmanager
def _recorded(
    tracer: Tracer,
    name: str,
    attributes: Mapping[str, Attribute],
    parent: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    ids = {"correlation_id": correlation_id(), "triggered_by": triggered_by()}
    marked = {**attributes, **{key: value for key, value in ids.items() if value}}
    with tracer.start_as_current_span(name, parent, kind, marked) as current:
        yield current


def _correlated_ids() -> "IdGenerator":
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class CorrelatedIds(RandomIdGenerator):
        """Trace ids that follow from the correlation id in force; span ids by chance."""

        def generate_trace_id(self) -> int:
            identifier = correlation_id()
            return trace_id_of(identifier) if identifier else super().generate_trace_id()

    return CorrelatedIds()


def trace_id_of(identifier: str) -> int:
    """Return the id of the trace that work under a correlation id belongs to."""
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=16).digest()) or 1


def _parse_headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise InvalidInput("OTEL_EXPORTER_OTLP_HEADERS: expected name=value,name=value")
        headers[name.strip().lower()] = unquote(value.strip())
    return headers
