"""Each request gets a correlation id, one log line, its metrics and a safe answer."""

import re
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from opentelemetry.trace import INVALID_SPAN, Span
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlplane.api.problems import internal_error
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.traces import answering, exemplar

log = get_logger(__name__)

HEADER: Final = "x-correlation-id"
_VALID_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# Asked for every few seconds by machines: counted, but no line in the log.
_QUIET: Final = frozenset(
    {
        "/health",
        "/ready",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/alertmanager/-/healthy",
        "/alertmanager/-/ready",
    }
)
# Where samples are pushed to, by many and often: a line and a count, but never a trace.
INGEST: Final = ("/prometheus/api/v1/write", "/prometheus/api/v1/otlp/", "/v1/metrics")


class HttpMetrics:
    """What the HTTP surface counts of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "controlplane_http_requests_total",
            "Requests answered, by method, route and status code.",
            ["method", "route", "code"],
            registry=registry,
        )
        self.duration = Histogram(
            "controlplane_http_request_duration_seconds",
            "Time from the request's head to the answer's end, by route.",
            ["route"],
            registry=registry,
        )


class ObserveMiddleware:
    """The outermost layer: nothing is answered without an id, a line and a count."""

    def __init__(self, app: ASGIApp, *, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        identifier = given if _VALID_ID.match(given) else new_correlation_id()
        status = 500
        started = False

        async def sending(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = identifier
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        begin = time.perf_counter()
        with correlated(identifier), _traced(scope) as span:
            try:
                await self._app(scope, receive, sending)
            except Exception as error:  # noqa: BLE001 - the top: logged and answered
                response = internal_error(scope["path"], error)
                if not started:
                    await response(scope, receive, sending)
            finally:
                self._record(scope, status, time.perf_counter() - begin, span)

    def _record(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        # The route's template, never the path: a path holds ids without end.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"].isalpha() else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.duration.labels(route).observe(seconds, exemplar())
        span.update_name(f"{method} {route}")
        span.set_attribute("http.response.status_code", status)
        if scope["path"] not in _QUIET:
            log.info(
                "request",
                method=method,
                path=scope["path"],
                route=route,
                status=status,
                seconds=round(seconds, 6),
                client=(scope.get("client") or ("",))[0],
            )


def _traced(scope: Scope) -> AbstractContextManager[Span]:
    """Return the request's span, within the trace that its `traceparent` names."""
    if scope["path"] in _QUIET or scope["path"].startswith(INGEST):
        return nullcontext(INVALID_SPAN)
    return answering("request", Headers(scope=scope), **{"url.path": scope["path"]})
