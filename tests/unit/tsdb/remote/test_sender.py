"""What the store commits arrives, in order and once, whatever the receiver answers."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from aiohttp import web

from controlplane.ingest.remote_write import decompress, read_version_1
from controlplane.model.duration import HOUR
from controlplane.model.histogram import CUSTOM_BUCKETS, FloatHistogram, buckets_at
from controlplane.model.labels import Labels
from controlplane.model.relabel import Action, RelabelConfig
from controlplane.model.samples import STALE_NAN
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.remote.options import (
    MetadataOptions,
    QueueOptions,
    RemoteWriteSettings,
    WriteMessage,
)
from controlplane.tsdb.remote.ports import Family
from tests.unit.tsdb.remote.receiver import Receiver, receiving
from tests.unit.tsdb.remote.world import QUICK, World, eventually, remote, series


@pytest.mark.parametrize("message", list(WriteMessage))
async def test_everything_arrives_in_order(world: World, message: WriteMessage) -> None:
    """Each series' samples come once and rising, in either version of the protocol."""
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, name="r", protobuf_message=message))
        world.start()
        times = world.tick(series(7), 50)
        await eventually(lambda: world.metric("samples_total") == 350, "all samples")
        assert receiver.times == {str(each): times for each in series(7)}
        assert receiver.samples[series(7)[3]][0][1] == 3.0
        await eventually(lambda: world.metric("samples_pending") == 0, "nothing pending")
    assert world.metric("highest_sent_timestamp_seconds") == times[-1] / 1000
    assert world.registry.get_sample_value(
        "controlplane_remote_write_highest_timestamp_in_seconds"
    ) == pytest.approx(times[-1] / 1000)


async def test_requests_are_cut_and_spread_over_shards(world: World) -> None:
    """No request is larger than it may be, and a backlog is sent by several shards."""
    queue = replace(QUICK, max_samples_per_send=10, max_shards=4)
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, queue, name="r"))
        times = world.tick(series(9), 20)
        world.start()
        await eventually(lambda: world.metric("samples_total") == 180, "all samples")
        assert receiver.times == {str(each): times for each in series(9)}
        assert len(receiver.requests) >= 18
        assert world.metric("shards") <= 4 == world.metric("shards_max")


async def test_odd_values_and_times_arrive_bit_for_bit(world: World) -> None:
    """Staleness markers, infinities and instants before 1971 are sent as they are."""
    found: list[bytes] = []
    async with receiving() as receiver:
        no_bound = RemoteWriteSettings(max_age=0)
        await world.apply(remote(receiver.url, name="r"), settings=no_bound)
        world.start()
        refs = world.store.refs(series(1))
        now = world.now
        for time, value in ((now, -np.inf), (now + 1, np.nan), (now + 2, STALE_NAN)):
            world.store.append([Write("test", time, refs, np.array([value]))])
        await eventually(lambda: world.metric("samples_total") == 3, "all samples")
        found = [np.float64(value).tobytes() for _, value in receiver.samples[series(1)[0]]]
    assert found == [np.float64(x).tobytes() for x in (-np.inf, np.nan, STALE_NAN)]


async def test_external_labels_and_relabelling(world: World) -> None:
    """External labels go under a series' own; relabelling sees both and may drop a series."""
    steps = (
        RelabelConfig(action=Action.DROP, source_labels=("n",), regex="1"),
        RelabelConfig(action=Action.LABELDROP, regex="zone"),
    )
    async with receiving() as receiver:
        await world.apply(
            remote(receiver.url, name="r", write_relabel_configs=steps),
            external_labels=Labels({"cluster": "a", "n": "x", "zone": "b"}),
        )
        world.start()
        world.tick(series(3))
        await eventually(lambda: world.metric("samples_total") == 2, "two samples")
        assert sorted(receiver.times) == ['m{cluster="a", n="0"}', 'm{cluster="a", n="2"}']
    assert world.metric("samples_dropped_total", reason="relabelled") == 1


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_may_work_later_is_sent_again(world: World, status: int) -> None:
    """A server's error and a request for patience are tried again, the same bytes."""
    answers = [web.Response(status=status), web.Response(status=status)]
    async with receiving(lambda n: answers[n] if n < 2 else None) as receiver:
        await world.apply(remote(receiver.url, name="r"))
        times = world.tick(series(2))
        world.start()
        await eventually(lambda: world.metric("samples_total") == 2, "all samples")
        assert receiver.times == {str(each): times for each in series(2)}
        assert len(set(receiver.requests)) == 1
        assert [headers.get("Retry-Attempt") for headers in receiver.headers] == [None, "1", "2"]
    assert world.metric("samples_retried_total") == 4
    assert world.metric("samples_failed_total") == 0


async def test_retry_after_is_obeyed(world: World) -> None:
    """The next attempt is not before the receiver wants it."""
    again = web.Response(status=429, headers={"Retry-After": "1"})
    async with receiving(lambda n: again if n == 0 else None) as receiver:
        await world.apply(remote(receiver.url, name="r"))
        world.tick(series(1))
        world.start()
        began = world.clock.monotonic()
        await eventually(lambda: world.metric("samples_total") == 1, "the sample")
    assert world.clock.monotonic() - began >= 1


@pytest.mark.parametrize("status", [400, 404, 429])
async def test_what_is_refused_is_counted_and_not_repeated(world: World, status: int) -> None:
    """The next requests go on. A 429 counts as refused where the configuration says so."""
    queue = replace(QUICK, retry_on_http_429=False)
    refusal = web.Response(status=status, text="label name is too long")
    async with receiving(lambda n: refusal if n == 0 else None) as receiver:
        await world.apply(remote(receiver.url, queue, name="r"))
        world.start()
        world.tick(series(3))
        await eventually(lambda: world.metric("samples_failed_total") == 3, "a refusal")
        times = world.tick(series(3))
        await eventually(lambda: world.metric("samples_total") == 3, "the next samples")
        assert receiver.times == {str(each): times for each in series(3)}


async def test_a_receiver_of_version_1_is_not_taken_for_one_of_2(world: World) -> None:
    """An answer that does not say that anything was written is a refusal."""
    content = web.Response(status=204)
    async with receiving(lambda _: content) as receiver:
        await world.apply(remote(receiver.url, name="r", protobuf_message=WriteMessage.V2))
        world.start()
        world.tick(series(2))
        await eventually(lambda: world.metric("samples_failed_total") == 2, "a refusal")


async def test_an_outage_loses_nothing(world: World) -> None:
    """What is written while nobody listens is sent when somebody does."""
    async with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        await world.apply(remote(receiver.url, name="r"))
        world.start()
        before = world.tick(series(3), 5)
        await eventually(lambda: world.metric("samples_total") == 15, "the first samples")
    during = world.tick(series(3), 20)
    await eventually(lambda: world.metric("samples_retried_total") > 0, "an attempt")
    async with receiving(port=port) as back:
        after = world.tick(series(3), 5)
        await eventually(lambda: world.metric("samples_total") == 90, "all samples")
        assert receiver.times == {str(each): before for each in series(3)}
        assert back.times == {str(each): [*during, *after] for each in series(3)}


async def test_a_restart_repeats_no_answered_request(tmp_path: Path, clients: HTTPClients) -> None:
    """A sender goes on where another ended, in the middle of a round too."""
    queue = replace(QUICK, max_samples_per_send=4, max_shards=2)
    # The first process: the receiver takes five requests, and then no more.
    async with receiving(lambda n: web.Response(status=500) if n >= 5 else None) as receiver:
        first = World(tmp_path, clients)
        await first.apply(remote(receiver.url, queue, name="r"))
        times = first.tick(series(6), 10)
        first.start()
        await eventually(lambda: len(receiver.requests) > 8, "attempts that fail")
        await first.close()
        taken = len(receiver.taken)
        receiver.judge = lambda _: None
        second = World(tmp_path, clients)
        try:
            await second.apply(remote(receiver.url, queue, name="r"))
            second.start()
            await eventually(lambda: sum(map(len, receiver.times.values())) >= 60, "the rest")
            second.now = first.now
            more = second.tick(series(6))
            await eventually(lambda: sum(map(len, receiver.times.values())) >= 66, "the next")
        finally:
            await second.close()
        assert taken == 5
        assert receiver.times == {str(each): [*times, *more] for each in series(6)}


@pytest.mark.parametrize("seed", range(3))
async def test_crashes_at_any_moment(tmp_path: Path, clients: HTTPClients, seed: int) -> None:
    """Every sample arrives; only whole requests come twice; without those all is in order."""
    chance = Random(seed)
    queue = replace(QUICK, batch_send_deadline=1, max_samples_per_send=7, max_shards=3)
    options = StoreOptions(commit_interval=0, wal_segment_bytes=1500)
    world = World(tmp_path, clients, options)

    def judge(_number: int) -> web.Response | None:
        return web.Response(status=503) if chance.random() < 0.2 else None

    try:
        async with receiving(judge) as receiver:
            await world.apply(remote(receiver.url, queue, name="r"))
            world.start()
            times: list[int] = []
            for _ in range(12):
                times += world.tick(series(5), 3)
                await world.clock.sleep(chance.random() * 0.03)
                await world.crash()
            wanted = {str(each): times for each in series(5)}
            await eventually(
                lambda: (
                    {name: sorted(set(each)) for name, each in receiver.times.items()} == wanted
                ),
                "every sample",
            )
            once = Receiver()
            for body in dict.fromkeys(receiver.taken):
                once.keep(read_version_1(decompress(body, 1 << 20), once.book))
            assert once.times == wanted
    finally:
        await world.close()


async def test_many_segments(tmp_path: Path, clients: HTTPClients) -> None:
    """Numbers of series are those of their segment; none is dropped before it was sent."""
    options = StoreOptions(commit_interval=0, wal_segment_bytes=1000, retention=HOUR)
    world = World(tmp_path, clients, options)
    try:
        async with receiving() as receiver:
            await world.apply(remote(receiver.url, name="r"))
            times = world.tick(series(5), 100)
            assert len(list((tmp_path / "samples" / "wal").iterdir())) > 5
            assert world.writes.needed() in (-1, 0)
            world.start()
            await eventually(lambda: world.metric("samples_total") == 500, "all samples")
            assert receiver.times == {str(each): times for each in series(5)}
            await eventually(lambda: (world.writes.needed() or 0) > 5, "a place far on")
            await eventually(lambda: world.metric("log_bytes_pending") == 0, "an empty queue")
    finally:
        await world.close()


async def test_more_than_may_be_kept_is_dropped_and_counted(
    tmp_path: Path, clients: HTTPClients
) -> None:
    """Beyond the bound the oldest goes; what is left arrives, and the sum is whole."""
    options = StoreOptions(commit_interval=0, wal_segment_bytes=4000)
    world = World(tmp_path, clients, options)
    bound = RemoteWriteSettings(max_size=10_000)
    down = True
    try:
        async with receiving(lambda _: web.Response(status=503) if down else None) as receiver:
            await world.apply(remote(receiver.url, name="r"), settings=bound)
            world.start()
            times = world.tick(series(5), 400)

            def dropped() -> float:
                return world.metric("samples_dropped_total", reason="over_bound")

            await eventually(lambda: dropped() > 0, "a drop")
            down = False
            last = world.tick(series(5))[-1]
            await eventually(
                lambda: world.metric("samples_total") + dropped() == 2005, "a whole account"
            )
            assert [each[-1] for each in receiver.times.values()] == [last] * 5
            assert 0 < dropped() < 2005
            kept = receiver.times[str(series(5)[0])]
            assert kept == [*times, last][-len(kept) :]
    finally:
        await world.close()


async def test_samples_that_are_too_old_are_left_out(world: World) -> None:
    """The age limit of the receiver, or of all, leaves out what is older."""
    queue = replace(QUICK, sample_age_limit=60_000)
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, queue, name="r"))
        world.start()
        world.tick(series(2))
        world.now = world.clock.now()
        times = world.tick(series(2))
        await eventually(lambda: world.metric("samples_total") == 2, "the young ones")
        assert receiver.times == {str(each): times for each in series(2)}
    assert world.metric("samples_dropped_total", reason="too_old") == 2


async def test_metadata_is_told_now_and_then(world: World) -> None:
    """Version 1 gets it in requests of its own."""
    world.families = {f"m{n}": Family("counter", f"Help {n}.", "seconds") for n in range(5)}
    metadata = MetadataOptions(send_interval=10, max_samples_per_send=2)
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, name="r", metadata_config=metadata))
        world.start()
        await eventually(lambda: len(receiver.book.families()) == 5, "all families")
        said = receiver.book.families()["m3"]
    assert (said.type, said.help, said.unit) == ("counter", "Help 3.", "seconds")
    assert world.metric("metadata_total") >= 5


async def test_version_2_carries_metadata_with_its_series(world: World) -> None:
    """A bucket belongs to its family."""
    world.families = {"m": Family("histogram", "How long.", "seconds")}
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, name="r", protobuf_message=WriteMessage.V2))
        world.start()
        world.tick(series(2, "m_bucket", le="1"))
        await eventually(lambda: world.metric("samples_total") == 2, "the samples")
        said = receiver.book.families()["m"]
    assert (said.type, said.help, said.unit) == ("histogram", "How long.", "seconds")


async def test_a_reload_keeps_the_place(world: World) -> None:
    """An unchanged receiver is not touched, a changed one goes on where it was, one goes."""
    async with receiving() as one, receiving() as two:
        await world.apply(remote(one.url, name="r"), remote(two.url, name="s"))
        world.start()
        first = world.tick(series(2), 5)
        await eventually(lambda: world.metric("samples_total", remote="s") == 10, "all samples")
        await eventually(lambda: world.metric("samples_total") == 10, "all samples")
        down = QueueOptions(batch_send_deadline=20, max_samples_per_send=3)
        await world.apply(remote(one.url, down, name="r"), remote(two.url, name="s"))
        second = world.tick(series(2), 5)
        await eventually(lambda: sum(map(len, one.times.values())) == 20, "all samples")
        assert one.times == {str(each): [*first, *second] for each in series(2)}
        await world.apply(remote(one.url, down, name="r"))
        await eventually(lambda: sum(map(len, two.times.values())) <= 20, "two ends")
        third = world.tick(series(2))
        await eventually(lambda: sum(map(len, one.times.values())) == 22, "all samples")
        assert third[0] not in two.times[str(series(2)[0])]
    assert len(list((world.directory / "remote_write").glob("*.json"))) == 1


async def test_a_reload_while_the_thread_is_busy_keeps_the_place(world: World) -> None:
    """What was answered is noted although the sender ends before the note is written."""
    free = threading.Event()

    def judge(_number: int) -> None:
        world.writes._thread.submit(free.wait, 10)

    async with receiving(judge) as receiver:
        await world.apply(remote(receiver.url, name="r"))
        first = world.tick(series(2), 5)
        world.start()
        await eventually(lambda: world.metric("samples_total") == 10, "all samples")
        receiver.judge = lambda _: None
        asyncio.get_running_loop().call_later(0.05, free.set)
        await world.apply(remote(receiver.url, replace(QUICK, max_samples_per_send=3), name="r"))
        second = world.tick(series(2))
        await eventually(lambda: len(receiver.requests) >= 2, "the next samples")
        assert receiver.times == {str(each): [*first, *second] for each in series(2)}


async def test_draining_sends_what_is_there(world: World) -> None:
    """When sending has ended, what the log still holds is sent within the time given."""
    slow = QueueOptions(batch_send_deadline=60_000)
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, slow, name="r"))
        world.start()
        times = world.tick(series(3), 4)
        await world.stop()
        await world.writes.drain(5_000)
        assert receiver.times == {str(each): times for each in series(3)}
    assert world.metric("log_bytes_pending") == 0


async def test_draining_is_bounded(world: World) -> None:
    """A receiver that is away holds nobody up; its place stays."""
    await world.apply(remote("http://127.0.0.1:1/write", name="r"))
    world.tick(series(3), 4)
    began = world.clock.monotonic()
    await world.writes.drain(200)
    assert 0.15 < world.clock.monotonic() - began < 5
    assert (world.writes.needed() or 0) <= 0


async def test_a_denied_address_is_tried_on(world: World) -> None:
    """The outbound policy may change: what it forbids now is kept."""
    await world.apply(remote("http://10.1.2.3/write", name="r"))
    world.start()
    world.tick(series(1))
    await eventually(lambda: world.metric("samples_retried_total") > 1, "attempts")
    assert world.metric("samples_failed_total") == 0


@pytest.mark.parametrize("message", list(WriteMessage))
async def test_native_histograms_beside_floats(world: World, message: WriteMessage) -> None:
    """Where they are asked for; their instants among the others'."""
    whole = FloatHistogram(3, 6, 2.5, 0.1, 1, buckets_at([-2, 0, 1], [1, 2, 2]))
    custom = FloatHistogram(
        CUSTOM_BUCKETS, 1.5, 2.0, positive=buckets_at([0], [1.5]), custom_values=(1.0, 2.0)
    )
    async with receiving() as receiver:
        url = receiver.url
        send = remote(url, name="r", protobuf_message=message, send_native_histograms=True)
        await world.apply(send)
        refs, now = world.store.refs(series(3)), world.now
        for place, each in enumerate(((whole, None, custom), (None, None, whole))):
            world.store.append(
                [Write("test", now + place, refs, np.arange(3.0), histograms=list(each))]
            )
        world.start()
        await eventually(lambda: world.metric("samples_total") == 6, "all samples")
        first, _, third = (receiver.histograms.get(each, []) for each in series(3))
        assert [time for time, _ in first] == [now]
        assert first[0][1].same(whole)
        assert [time for time, _ in third] == [now, now + 1]
        assert third[0][1].same(custom)
        assert third[1][1].same(whole)
        assert receiver.samples[series(3)[0]] == [(now + 1, 0.0)]
        assert receiver.samples[series(3)[1]] == [(now, 1.0), (now + 1, 1.0)]


async def test_native_histograms_are_left_out_unless_asked_for(world: World) -> None:
    """They are counted; the floats of the same request arrive."""
    async with receiving() as receiver:
        await world.apply(remote(receiver.url, name="r"))
        refs, now = world.store.refs(series(2)), world.now
        sample = [FloatHistogram(0, 1, 1.0, zero_count=1), None]
        world.store.append([Write("test", now, refs, np.ones(2), histograms=sample)])
        world.start()
        await eventually(lambda: world.metric("samples_total") == 1, "the float")
        assert list(receiver.times) == [str(series(2)[1])]
    assert world.metric("samples_dropped_total", reason="histogram") == 1
