"""`python -m benchmarks tracing`: what traces cost, for a request and for a rule's span.

In one process, without sockets: the HTTP layer that counts, logs and traces, around an
answer that costs nothing. The exporter throws spans away, so the cost is ours and the
SDK's. Runs take turns, and the least time of each counts.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.table import print_table
from controlplane.api.observe import HttpMetrics, ObserveMiddleware
from controlplane.telemetry.correlation import correlated, new_correlation_id
from controlplane.telemetry.logs import configure_logs
from controlplane.telemetry.traces import TRACING, exemplar, span

_TIMES = 3_000
_ROUNDS = 7
_QUERY = "/prometheus/api/v1/query"
_WRITE = "/prometheus/api/v1/write"


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _nothing() -> Message:
    return {"type": "http.request", "body": b""}


async def _discard(_message: Message) -> None:
    pass


async def _requests(application: ASGIApp, path: str) -> None:
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "client": ("::1", 1)}
    for _ in range(_TIMES):
        await application(dict(scope), _nothing, _discard)


def _request(path: str) -> Callable[[], None]:
    application = ObserveMiddleware(_answer, metrics=HttpMetrics(CollectorRegistry()))
    return lambda: asyncio.run(_requests(application, path))


def _rule_group() -> None:
    for _ in range(_TIMES):
        with correlated(new_correlation_id()), span("rule group", rule_group="a;b"):
            exemplar()


def _timed(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / _TIMES * 1e6


_SHARES = (None, 0.0, 0.01, 1.0)
_WORKS: dict[str, Callable[[], Callable[[], None]]] = {
    "a request": lambda: _request(_QUERY),
    "a request that pushes samples": lambda: _request(_WRITE),
    "the span of a rule group": lambda: _rule_group,
}


def main(_arguments: list[str]) -> int:
    """Print microseconds of CPU by share of traces recorded."""
    with Path(os.devnull).open("w", encoding="utf-8") as log:
        configure_logs(stream=log)
        least = _measure()
    head = ["µs of CPU", "off", "0 %", "1 %", "100 %"]
    rows = [[name, *(f"{least[name, share]:.0f}" for share in _SHARES)] for name in _WORKS]
    print_table(head, rows)
    return 0


def _measure() -> dict[tuple[str, float | None], float]:
    works = {name: make() for name, make in _WORKS.items()}
    least = {(name, share): float("inf") for name in works for share in _SHARES}
    for _ in range(_ROUNDS):
        for share in _SHARES:
            if share is not None:
                TRACING.start(_Nowhere(), ratio=share, replica="bench")
            for name, work in works.items():
                least[name, share] = min(least[name, share], _timed(work))
            TRACING.close()
    return least
