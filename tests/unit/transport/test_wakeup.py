"""How the engine is woken: no submit may be forgotten, whenever it comes."""

import asyncio
import os

import pytest

from controlplane.clock import SystemClock
from controlplane.transport.engine import Engine
from controlplane.transport.exchange import Exchange, Failure, Options


async def test_a_submit_while_the_engine_empties_its_pipe_leaves_it_wakeable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes in the very moment of waking is done, and so is at once what comes after it."""
    clock = SystemClock()
    engine = Engine(clock)
    engine.start()
    read = os.read
    interrupted: list[int] = []

    def refused() -> "asyncio.Future[Exchange]":
        """Submit an exchange with a port that nobody listens on; return its end."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[Exchange] = loop.create_future()
        engine.submit([Exchange("http://127.0.0.1:1/", options, deadline, end.set_result)])
        return end

    def interrupting(fd: int, size: int) -> bytes:
        if not interrupted:
            interrupted.append(fd)
            engine.submit([Exchange("http://127.0.0.1:1/", options, deadline, amid.append)])
        return read(fd, size)

    options, deadline = Options(), clock.monotonic() + 10
    amid: list[Exchange] = []
    monkeypatch.setattr("controlplane.transport.engine.os.read", interrupting)
    try:
        await asyncio.wait_for(refused(), 5)
        begun = clock.monotonic()
        later = [await asyncio.wait_for(refused(), 5) for _ in range(3)]
        # Without a wake-up each would wait for the engine's idle second.
        assert clock.monotonic() - begun < 0.8
    finally:
        await engine.close()
    assert interrupted
    assert {exchange.failure for exchange in (*later, *amid)} == {Failure.CONNECT}
    assert len(amid) == 1
