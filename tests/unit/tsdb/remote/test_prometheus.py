"""Two senders and a real Prometheus, which undoes a whole request for one late sample."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.clock import Timestamp
from controlplane.model.labels import Labels
from controlplane.transport.http_client import HTTPClients
from tests.support.prometheus import needs_prometheus, prometheus
from tests.unit.tsdb.remote.world import World, eventually, remote, series

pytestmark = needs_prometheus

_RECEIVES = "--web.enable-remote-write-receiver"


@pytest.fixture
async def other(tmp_path: Path, clients: HTTPClients) -> AsyncIterator[World]:
    """The store of another replica."""
    found = World(tmp_path / "other", clients)
    yield found
    await found.close()


async def held(url: str, at: Timestamp) -> dict[Labels, float]:
    """Return the series of the tests that have a sample of the last seconds, with its value."""
    async with httpx.AsyncClient(trust_env=False) as client:
        question: dict[str, Any] = {"query": "m", "time": at / 1000}
        answer = await client.get(f"{url}/api/v1/query", params=question)
    found = answer.raise_for_status().json()["data"]["result"]
    return {Labels(each["metric"]): float(each["value"][1]) for each in found}


async def begin(sender: World, url: str, now: Timestamp) -> None:
    """Have a replica send to it, from an instant on."""
    sender.now = now
    await sender.apply(remote(f"{url}/api/v1/write", name="r"))
    sender.start()


@pytest.mark.parametrize("ahead", [0, 10_000])
async def test_a_series_that_another_sent_costs_the_others_nothing(
    world: World, other: World, tmp_path: Path, ahead: int
) -> None:
    """With a newer sample, or with another value at the same instant."""
    now = world.clock.now() - 60_000
    async with prometheus(tmp_path, {}, _RECEIVES) as url:
        await begin(other, url, now + ahead)
        # There it has the value 0, here 150.
        moved = series(300)[150]
        other.tick([moved])
        await eventually(lambda: other.metric("samples_total") == 1, "the other's sample")
        await begin(world, url, now)
        world.tick(series(300))
        await eventually(
            lambda: world.metric("samples_total") + world.metric("samples_failed_total") == 300,
            "a whole account",
        )
        found = await held(url, now + ahead)
    assert found.pop(moved) == 0.0
    assert found == {each: float(n) for n, each in enumerate(series(300)) if each != moved}
    assert world.metric("samples_failed_total") == 1
    assert world.metric("divided_total") == 1


async def test_what_is_too_old_by_its_own_words_blocks_nothing(
    world: World, other: World, tmp_path: Path
) -> None:
    """Where late samples may come within a window, one beyond it is given up at once."""
    now = world.clock.now() - 60_000
    window = {"storage": {"tsdb": {"out_of_order_time_window": "5s"}}}
    async with prometheus(tmp_path, window, _RECEIVES) as url:
        await begin(other, url, now + 50_000)
        moved = series(20)[7]
        other.tick([moved])
        await eventually(lambda: other.metric("samples_total") == 1, "the other's sample")
        await begin(world, url, now)
        world.tick(series(20))
        await eventually(lambda: world.metric("samples_failed_total") >= 1, "a refusal")
        await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
    assert world.metric("samples_retried_total") == 0
