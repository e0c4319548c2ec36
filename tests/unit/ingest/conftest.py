"""The application over a receiver and nothing else."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controlplane.api.application import create_application
from controlplane.api.fresh import at_once
from controlplane.api.limits import Limits
from controlplane.api.query_pool import QueryPool
from controlplane.api.throttle import Throttle
from controlplane.auth.guard import Guard
from controlplane.auth.limits import LimitOptions
from controlplane.auth.windows import Windows
from controlplane.ingest.metrics import IngestMetrics
from controlplane.ingest.options import IngestOptions
from controlplane.ingest.receiver import Receiver
from controlplane.model.share import ALL_ROLES
from controlplane.tsdb.store import Store
from tests.support.clock import ManualClock

PUSHED = ("/prometheus/api/v1/write", "/v1/metrics", "/prometheus/api/v1/otlp/")


@pytest.fixture
def receiver() -> Receiver:
    clock = ManualClock()
    store = Store.in_memory(clock=clock)
    return Receiver(store, clock, IngestMetrics(CollectorRegistry()), IngestOptions())


@pytest.fixture
async def client(receiver: Receiver) -> AsyncIterator[httpx.AsyncClient]:
    pool = QueryPool(threads=1)
    surface = SimpleNamespace(
        receiver=receiver,
        intake=pool,
        registry=CollectorRegistry(),
        clock=ManualClock(),
        status_pages=SimpleNamespace(at_host=lambda host: None),
        fresh=at_once,
        roles=ALL_ROLES,
    )
    limits = Limits(body=100, larger=dict.fromkeys(PUSHED, 10_000))
    throttle = Throttle(LimitOptions, Windows(surface.clock), surface.registry)
    application = create_application(cast(Any, surface), Guard(), limits, throttle)
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found
    pool.close()
