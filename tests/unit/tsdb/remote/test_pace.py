"""When samples leave: at once, together with others, and nothing happens without any."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import pytest

from controlplane.tsdb.remote.options import QueueOptions
from tests.unit.tsdb.remote.receiver import Receiver, receiving
from tests.unit.tsdb.remote.world import World, eventually, remote, series


async def test_a_lone_sample_does_not_wait_for_others(world: World) -> None:
    """With little to send, a sample leaves long before the deadline of a full request."""
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, QueueOptions(), name="r"))
        world.start()
        for number in range(1, 4):
            began = world.clock.monotonic()
            world.tick(series(1))
            await eventually(partial(_has, receiver, number), "it")
            assert world.clock.monotonic() - began < 2.5


async def test_samples_that_come_one_by_one_share_requests(world: World) -> None:
    """Requests that are not full leave a fiftieth of the deadline apart."""
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, QueueOptions(batch_send_deadline=20_000), name="r"))
        world.start()
        began = world.clock.monotonic()
        for number in range(1, 101):
            world.tick(series(1))
            await world.clock.sleep(0.01)
            assert number >= sum(map(len, receiver.times.values()))
        await eventually(lambda: sum(map(len, receiver.times.values())) == 100, "all of them")
        assert len(receiver.taken) <= 2 + (world.clock.monotonic() - began) / 0.4


async def test_a_log_without_news_is_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round is noted when it is cut and when it is done with; then nothing is, until news."""
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, name="r"))
        (place,) = (world.directory / "remote_write").glob("*.json")
        world.tick(series(2))
        world.start()
        await eventually(lambda: world.metric("samples_total") == 2, "the samples")
        await eventually(lambda: world.metric("log_bytes_pending") == 0, "the place behind them")
        assert len(place.read_bytes().splitlines()) == 3
        submit, jobs = world.writes._thread.submit, []

        def counted(work: Callable[[], object]) -> Future[object]:
            jobs.append(work)
            return submit(work)

        monkeypatch.setattr(world.writes._thread, "submit", counted)
        await world.clock.sleep(0.2)
        assert jobs == []
        world.tick(series(2))
        await eventually(lambda: world.metric("samples_total") == 4, "the next samples")
        assert jobs


def _has(receiver: Receiver, samples: int) -> bool:
    return sum(map(len, receiver.times.values())) == samples
