"""The engine's counts on /metrics."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Exchange, Options
from controlplane.transport.handles import HandlePool
from controlplane.transport.metrics import EngineMetrics

CLOCK = SystemClock()


def counts(registry: CollectorRegistry) -> tuple[float | None, ...]:
    names = ("transfers_in_flight", "transfers_waiting", "transfer_faults_total")
    return tuple(registry.get_sample_value(f"controlplane_{name}") for name in names)


async def test_what_is_under_way_waits_and_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two transfers with room for one, one is under way and one waits; then a fault."""
    accepted = asyncio.Event()
    silent = await asyncio.start_server(lambda _r, _w: accepted.set(), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
    registry, engine = CollectorRegistry(), Engine(CLOCK, most_in_flight=1)
    EngineMetrics(registry, engine)
    assert counts(registry) == (0, 0, 0)
    engine.start()
    ended: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
    deadline = CLOCK.monotonic() + 10
    first, second = (
        Exchange(url, Options(), deadline, done) for done in (ended.set_result, ended.set_result)
    )
    try:
        engine.submit([first, second])
        await asyncio.wait_for(accepted.wait(), 5)
        assert counts(registry) == (1, 1, 0)
        monkeypatch.setattr(HandlePool, "give", None)
        engine.cancel(second)
        engine.cancel(first)
        refused = Exchange("http://127.0.0.1:1/", Options(), deadline, ended.set_result)
        engine.submit([refused])
        await asyncio.wait_for(ended, 5)
        assert counts(registry) == (0, 0, 2)
    finally:
        silent.close()
        await engine.close()
