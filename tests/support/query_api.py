"""A query API of Prometheus' shape on loopback, and what it is asked through."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.remote.engines import Engine
from controlplane.tsdb.remote.metrics import DatasourceMetrics
from controlplane.tsdb.remote.options import Datasource

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def success(kind: str, result: Any, **more: Any) -> bytes:
    """Return an answer with a result of this kind."""
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more}).encode()


def vector(*elements: tuple[dict[str, str], str]) -> bytes:
    """Return an answer that is a vector of these labels and values."""
    return success("vector", [{"metric": m, "value": [1.5, v]} for m, v in elements])


@asynccontextmanager
async def query_api(handler: Handler) -> AsyncIterator[str]:
    """Serve a handler; give the prefix of its API."""
    application = web.Application()
    application.router.add_route("*", "/prefix/api/v1/{path:.+}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/prefix/"
    finally:
        await runner.cleanup()


def query_engine(clients: HTTPClients, url: str, **options: Any) -> Engine:
    """Return the engine of a datasource."""
    metrics = DatasourceMetrics(CollectorRegistry())
    return Engine(Datasource(url, **options), clients, clock=SystemClock(), metrics=metrics)
