"""For samples that come too late a receiver refuses a request: what else is in it arrives."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import Labels
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.remote.options import RemoteWriteSettings, WriteMessage
from controlplane.tsdb.remote.parts import MOST_REQUESTS
from tests.unit.tsdb.remote.receiver import Receiver, receiving
from tests.unit.tsdb.remote.world import QUICK, World, eventually, remote, series

# One request after another, each of a whole tick.
ONE_SHARD = replace(QUICK, max_shards=1)
WRITTEN = "X-Prometheus-Remote-Write-Samples-Written"


def ahead(receiver: Receiver, labels: Labels, time: int, value: float = -1.0) -> None:
    """Have another sender's sample of a series at the receiver."""
    receiver.samples[labels] = [(time, value)]
    receiver.admit = receiver.in_order


def account(world: World) -> dict[str, float]:
    """Return what became of samples."""
    return {
        "sent": world.metric("samples_total"),
        "failed": world.metric("samples_failed_total"),
        "repeated": world.metric("samples_dropped_total", reason="repeated"),
        "over_bound": world.metric("samples_dropped_total", reason="over_bound"),
    }


async def settled(world: World, samples: int) -> None:
    """Wait until all is accounted for."""
    await eventually(lambda: sum(account(world).values()) >= samples, "a whole account")


async def test_one_late_sample_costs_itself_alone(world: World) -> None:
    """It counts as failed and is told of, the others as sent; the request counts as divided."""
    async with receiving() as receiver:
        ahead(receiver, series(300)[217], world.now + 5000)
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        (now,) = world.tick(series(300))
        with capture_logs() as lines:
            world.start()
            await settled(world, 300)
        assert account(world) == {"sent": 299, "failed": 1, "repeated": 0, "over_bound": 0}
        assert {time for times in receiver.times.values() for time in times} == {now, now + 5000}
        assert len(receiver.times) == 300
        await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
    assert world.metric("divided_total") == 1
    assert world.metric("samples_retried_total") == 0
    (told,) = [line for line in lines if line["event"] == "remote write refused"]
    assert told["samples"] == 1
    assert told["reason"] == "HTTP status 400: out of order sample"


async def test_of_a_backlog_only_what_is_late_is_lost(world: World) -> None:
    """A series goes on after the sample that another sender sent, none overtakes another."""
    one, labels = series(12)[5], series(12)
    async with receiving() as receiver:
        ahead(receiver, one, world.now + 3000, 5.0)
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        times = world.tick(labels, 8)
        world.start()
        await settled(world, 96)
        # The fourth has the same value as theirs: it is no loss.
        assert account(world)["failed"] == 3
        assert receiver.times[str(one)] == [times[3], *times[3:]]
        assert all(receiver.times[str(each)] == times for each in labels if each != one)


async def test_another_value_at_the_same_instant_is_late_too(world: World) -> None:
    """Whoever wrote first is right."""
    async with receiving() as receiver:
        ahead(receiver, series(20)[0], world.now)
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(20))
        world.start()
        await settled(world, 20)
        assert account(world)["failed"] == 1
        assert receiver.samples[series(20)[0]] == [(world.now - 1000, -1.0)]


async def test_a_backlog_that_is_late_as_a_whole_takes_a_bounded_number(world: World) -> None:
    """All of it counts as failed, once; then it goes on."""
    async with receiving() as receiver:
        receiver.admit = lambda _: web.Response(status=400, text="out of order sample\n")
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(400))
        world.start()
        await settled(world, 400)
        assert account(world)["failed"] == 400
        assert len(receiver.requests) == 1 + MOST_REQUESTS
        assert world.metric("divided_total") == 1
        receiver.admit = lambda _: None
        times = world.tick(series(3))
        await eventually(lambda: world.metric("samples_total") == 3, "the next samples")
        assert receiver.times == {str(each): times for each in series(3)}


async def test_where_nothing_gets_through_less_and_less_is_tried(world: World) -> None:
    """Each request in vain halves what the next may take, the first success restores it."""
    queue = replace(ONE_SHARD, max_samples_per_send=200)
    async with receiving() as receiver:
        receiver.admit = lambda _: web.Response(status=400, text="out of bounds\n")
        await world.apply(remote(receiver.url, queue, name="r"))
        world.tick(series(200), 5)
        world.start()
        await settled(world, 1000)
        assert account(world)["failed"] == 1000
        assert len(receiver.requests) == sum(
            1 + bound for bound in (MOST_REQUESTS, MOST_REQUESTS // 2, MOST_REQUESTS // 4, 16, 16)
        )
        receiver.admit = lambda _: None
        world.tick(series(1))
        await settled(world, 1001)
        before = len(receiver.requests)
        receiver.admit = lambda _: web.Response(status=400, text="out of bounds\n")
        world.tick(series(200))
        await settled(world, 1201)
        assert len(receiver.requests) == before + 1 + MOST_REQUESTS


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "out of order sample"),
        (400, "out of bounds: timestamp is too far in the future"),
        (400, "Duplicate Sample for timestamp 1; overrides not allowed: existing 1, new value 2"),
        (400, "err: too old sample. timestamp=1970-01-01T00:00:00Z, series={}"),
        (400, "the sample has been rejected (err-mimir-sample-out-of-order). The affected"),
        (400, "its timestamp is too old (err-mimir-sample-timestamp-too-old). The affected"),
        (400, "a different value (err-mimir-sample-duplicate-timestamp). The affected"),
        (400, "timestamp too old: 1 metric: m"),
        (409, "store locally for endpoint : add 1 samples: out of order sample"),
        # Prometheus before 2.50.
        (500, "too old sample\n"),
    ],
)
async def test_what_receivers_say_of_late_samples(world: World, status: int, text: str) -> None:
    """Their words for it are known."""
    async with receiving(
        lambda n: web.Response(status=status, text=text) if n == 0 else None
    ) as receiver:
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(4))
        world.start()
        await eventually(lambda: world.metric("samples_total") == 4, "all samples")
        assert len(receiver.requests) == 3
    assert world.metric("divided_total") == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "label name is too long"),
        (400, "out of order labels"),
        (400, ""),
        (404, "out of order sample"),
        (413, "out of bounds"),
        (409, "conflict"),
    ],
)
async def test_another_refusal_is_final(world: World, status: int, text: str) -> None:
    """It is sent once, and counts as failed as a whole."""
    async with receiving(lambda _: web.Response(status=status, text=text)) as receiver:
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(4))
        world.start()
        await eventually(lambda: world.metric("samples_failed_total") == 4, "a refusal")
        assert len(receiver.requests) == 1
    assert world.metric("divided_total") == 0


async def test_an_error_of_the_receiver_that_names_lateness_is_no_refusal(world: World) -> None:
    """But for the one that Prometheus meant otherwise, 5xx is tried again."""
    answers = [
        web.Response(status=500, text=text) for text in ("out of bounds", "x too old sample")
    ]
    async with receiving(lambda n: answers[n] if n < 2 else None) as receiver:
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(4))
        world.start()
        await eventually(lambda: world.metric("samples_total") == 4, "all samples")
        assert len(set(receiver.requests)) == 1
    assert world.metric("samples_retried_total") == 8


async def test_a_part_that_fails_is_tried_again(world: World) -> None:
    """With a wait, and its attempts counted from its own first one."""
    failing = {2, 3}
    async with receiving(lambda n: web.Response(status=503) if n in failing else None) as receiver:
        ahead(receiver, series(8)[0], world.now + 1)
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        world.tick(series(8))
        world.start()
        await settled(world, 8)
        assert account(world) == {"sent": 7, "failed": 1, "repeated": 0, "over_bound": 0}
        attempts = [headers.get("Retry-Attempt") for headers in receiver.headers]
        assert attempts[:6] == [None, None, None, "1", "2", None]
        assert receiver.requests[2] == receiver.requests[3] == receiver.requests[4]


async def test_a_crash_between_parts(world: World) -> None:
    """The whole request comes again; what had not arrived does, and the rest is no loss."""
    down = False

    def judge(number: int) -> web.Response | None:
        nonlocal down
        # Then the process dies: the whole and one half were refused.
        down = down or number == 2
        return web.Response(status=503) if down else None

    labels = series(40)
    async with receiving(judge) as receiver:
        ahead(receiver, labels[3], world.now + 5000)
        ahead(receiver, labels[30], world.now + 5000)
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        times = world.tick(labels, 2)
        world.start()
        await eventually(lambda: len(receiver.requests) > 4, "attempts that fail")
        assert account(world)["failed"] == 0
        receiver.judge = lambda _: None
        with capture_logs() as lines:
            await world.crash()
            await settled(world, 80)
        assert account(world) == {"sent": 76, "failed": 0, "repeated": 4, "over_bound": 0}
        assert {
            name: sorted(set(each)) for name, each in receiver.times.items() if len(each) > 1
        } == {str(each): times for each in labels if each not in (labels[3], labels[30])}
        world.tick(labels)
        await settled(world, 120)
    assert account(world) == {"sent": 114, "failed": 2, "repeated": 4, "over_bound": 0}
    assert world.metric("divided_total") >= 2
    assert len([line for line in lines if line["event"] == "remote write had arrived"]) == 1


async def test_a_request_that_had_arrived_in_parts_loses_nothing(world: World) -> None:
    """What arrived before a crash is refused after it, and what did not is taken."""
    labels, many = series(40), 40 * 3
    async with receiving() as receiver:
        ahead(receiver, labels[0], world.now + 60_000)
        # Of the parts, the first that is taken; then the receiver is gone.
        receiver.judge = lambda _: web.Response(status=503) if receiver.taken else None
        await world.apply(remote(receiver.url, ONE_SHARD, name="r"))
        times = world.tick(labels, 3)
        world.start()
        await eventually(lambda: world.metric("samples_retried_total") > 0, "a failure")
        assert 0 < world.metric("samples_total") < many
        receiver.judge = lambda _: None
        await world.crash()
        everything = {str(each): times for each in labels[1:]}
        await eventually(
            lambda: (
                {name: sorted(set(each)) for name, each in receiver.times.items() if len(each) > 1}
                == everything
            ),
            "every sample that is not late",
        )
        for each in receiver.times.values():
            assert all(before <= after for before, after in pairwise(each))
        await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
    assert world.metric("samples_failed_total") == 0


async def test_what_is_dropped_between_parts_is_counted_once(
    tmp_path: Path, clients: HTTPClients
) -> None:
    """Beyond the bound only what was not answered of a divided request is dropped."""
    world = World(tmp_path, clients, StoreOptions(commit_interval=0, wal_segment_bytes=4000))
    try:
        async with receiving() as receiver:
            ahead(receiver, series(50)[49], world.now + 600_000)
            receiver.judge = lambda _: web.Response(status=503) if receiver.taken else None
            await world.apply(
                remote(receiver.url, ONE_SHARD, name="r"),
                settings=RemoteWriteSettings(max_size=20_000),
            )
            world.tick(series(50))
            world.start()
            await eventually(lambda: world.metric("samples_retried_total") > 0, "a part that waits")
            taken = world.metric("samples_total")
            assert 0 < taken < 50
            assert world.metric("samples_pending") == 50 - taken
            ticks = 60
            world.tick(series(50), ticks)
            await eventually(lambda: account(world)["over_bound"] > 0, "a drop")
            receiver.judge = lambda _: None
            receiver.admit = lambda _: None
            await settled(world, 50 * (ticks + 1))
            await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
            assert sum(account(world).values()) == 50 * (ticks + 1)
    finally:
        await world.close()


async def test_samples_that_grow_too_old_in_parts_are_counted_once(world: World) -> None:
    """What is left out of a request that is divided is not left out of its parts again."""
    queue = replace(ONE_SHARD, sample_age_limit=60_000)
    async with receiving() as receiver:
        world.tick(series(10))
        world.now = world.clock.now()
        ahead(receiver, series(10)[4], world.now + 1)
        await world.apply(remote(receiver.url, queue, name="r"))
        refs = world.store.refs(series(10))
        old = Write("test", world.now - 600_000, world.store.refs(series(5, "old")), np.zeros(5))
        world.store.append([old, Write("test", world.now, refs, np.arange(10.0))])
        world.start()
        await settled(world, 10)
        assert account(world) == {"sent": 9, "failed": 1, "repeated": 0, "over_bound": 0}
        await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
    assert world.metric("samples_dropped_total", reason="too_old") == 5


async def test_a_receiver_of_version_2_that_wrote_the_rest_is_believed(world: World) -> None:
    """It says how many it wrote: the others failed, and nothing is sent again."""
    partly = web.Response(status=400, text="out of order sample", headers={WRITTEN: "17"})
    async with receiving(lambda n: partly if n == 0 else None) as receiver:
        await world.apply(
            remote(receiver.url, ONE_SHARD, name="r", protobuf_message=WriteMessage.V2)
        )
        world.tick(series(20))
        world.start()
        await settled(world, 20)
        assert account(world) == {"sent": 17, "failed": 3, "repeated": 0, "over_bound": 0}
        assert len(receiver.requests) == 1
    assert world.metric("divided_total") == 0


@pytest.mark.parametrize("headers", [{}, {WRITTEN: "0"}])
async def test_a_receiver_of_version_2_that_wrote_nothing_is_sent_parts(
    world: World, headers: dict[str, str]
) -> None:
    """It may undo a request as one of version 1 does."""
    none = web.Response(status=400, text="out of order sample", headers=headers)
    async with receiving(lambda n: none if n == 0 else None) as receiver:
        await world.apply(
            remote(receiver.url, ONE_SHARD, name="r", protobuf_message=WriteMessage.V2)
        )
        times = world.tick(series(20))
        world.start()
        await settled(world, 20)
        assert account(world)["sent"] == 20
        assert receiver.times == {str(each): times for each in series(20)}
    assert world.metric("divided_total") == 1


async def test_a_request_of_native_histograms_alone_is_not_taken_for_unread(world: World) -> None:
    """A receiver of version 2 counts them apart from floats."""
    sample = FloatHistogram(0, 1, 1.0, zero_count=1)
    async with receiving() as receiver:
        await world.apply(
            remote(
                receiver.url,
                ONE_SHARD,
                name="r",
                protobuf_message=WriteMessage.V2,
                send_native_histograms=True,
            )
        )
        refs = world.store.refs(series(1))
        world.store.append([Write("test", world.now, refs, np.ones(1), histograms=[sample])])
        world.start()
        await settled(world, 1)
    assert account(world)["sent"] == 1
