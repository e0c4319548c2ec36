"""The engine's turns on the event loop: none is long, and nothing submitted is forgotten."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from controlplane.clock import SystemClock
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Exchange, Failure, Options

CLOCK = SystemClock()
OPTIONS = Options()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """Run an engine."""
    engine = Engine(CLOCK)
    engine.start()
    yield engine
    await engine.close()


def refused(engine: Engine) -> "asyncio.Future[Exchange]":
    """Submit an exchange with a port that nobody listens on; return its end."""
    end: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
    exchange = Exchange("http://127.0.0.1:1/", OPTIONS, CLOCK.monotonic() + 10, end.set_result)
    engine.submit([exchange])
    return end


async def test_what_is_submitted_by_an_end_is_begun_at_once(engine: Engine) -> None:
    """An exchange submitted while ends are told does not wait for the next event."""
    begun: asyncio.Future[asyncio.Future[Exchange]] = asyncio.get_running_loop().create_future()

    def again(_exchange: Exchange) -> None:
        begun.set_result(refused(engine))

    engine.submit([Exchange("http://127.0.0.1:1/", OPTIONS, CLOCK.monotonic() + 10, again)])
    end = await asyncio.wait_for(begun, 5)
    assert (await asyncio.wait_for(end, 5)).failure is Failure.CONNECT


async def test_what_was_submitted_before_the_start_is_begun_with_it() -> None:
    """An engine that starts late takes what has come before."""
    engine = Engine(CLOCK)
    end = refused(engine)
    engine.start()
    try:
        assert (await asyncio.wait_for(end, 5)).failure is Failure.CONNECT
    finally:
        await engine.close()


async def test_a_flood_leaves_others_their_turns(engine: Engine) -> None:
    """Between the turns that a thousand exchanges need, the event loop serves others."""
    loop, turns = asyncio.get_running_loop(), 0

    def other() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(other)

    other()
    ends = await asyncio.wait_for(asyncio.gather(*(refused(engine) for _ in range(1000))), 30)
    assert turns >= 10
    assert {end.failure for end in ends} == {Failure.CONNECT}
    assert engine.in_flight == 0


async def test_time_is_kept_when_nothing_else_happens(engine: Engine) -> None:
    """A peer that says nothing is given up when its time has come, not at some later event."""
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    end: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
    begun = CLOCK.monotonic()
    url = f"http://127.0.0.1:{port}/"
    engine.submit([Exchange(url, OPTIONS, begun + 0.2, end.set_result)])
    try:
        assert (await asyncio.wait_for(end, 5)).failure is Failure.TIMEOUT
        assert 0.15 < CLOCK.monotonic() - begun < 3
    finally:
        silent.close()


async def test_a_fault_of_a_turn_is_survived(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that raises is counted; after a pause the engine goes on."""
    raised = asyncio.Event()

    def broken(*_args: object) -> None:
        raised.set()
        raise RuntimeError("a fault of our own")

    with monkeypatch.context() as broken_here:
        broken_here.setattr(engine, "_take", broken)
        end = refused(engine)
        await asyncio.wait_for(raised.wait(), 5)
        assert not end.done()
    assert (await asyncio.wait_for(end, 5)).failure is Failure.CONNECT
    assert engine.faults == 1
