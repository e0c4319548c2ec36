"""The sample services: their moods by the clock, and how each mood looks from outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.clock import SystemClock
from controlplane.demo.services import (
    CALM,
    Cycle,
    Mood,
    Profile,
    Reach,
    SampleService,
    SampleServices,
    Traffic,
    sample_profiles,
)

CYCLE = Cycle(first=10, trouble=5, calm=20)


@pytest.mark.parametrize(
    ("elapsed", "reach"),
    [
        (0, Reach.ANSWERS),
        (9.9, Reach.ANSWERS),
        (10, Reach.REFUSES),
        (14.9, Reach.REFUSES),
        (15, Reach.ANSWERS),
        (35, Reach.HANGS),
        (40, Reach.ANSWERS),
        (60, Reach.REFUSES),
    ],
)
def test_troubles_come_in_cycles(elapsed: float, reach: Reach) -> None:
    """The silent service is reached, refuses, is reached, hangs, and so on."""
    _, _, silent = sample_profiles(CYCLE)
    assert silent.mood(elapsed).reach is reach


def test_one_service_is_always_well() -> None:
    """The healthy one has no troubles; the failing one fails and is slow, yet answers."""
    healthy, failing, _ = sample_profiles(CYCLE)
    assert {healthy.mood(second) for second in range(100)} == {CALM}
    trouble = failing.mood(12)
    assert trouble.reach is Reach.ANSWERS
    assert trouble.error_ratio > 0.05
    assert trouble.latency > 0.5


@pytest.fixture
async def service() -> AsyncIterator[SampleService]:
    """Give a service that listens."""
    service = SampleService(Profile("a"), SystemClock())
    await service.open()
    yield service
    await service.close()


async def _get(service: SampleService, path: str, timeout: float = 2.0) -> tuple[int, str]:
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    return int(head.split()[1]), body.decode()


async def _samples(service: SampleService) -> dict[str, float]:
    _, text = await _get(service, "/metrics")
    return {
        sample.name + "".join(sample.labels.get(key, "") for key in ("code", "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_counted_as_client_libraries_do(service: SampleService) -> None:
    """Status, duration, process and limits stand on /metrics; health checks are not counted."""
    await service._enter(Mood(error_ratio=0.4, latency=0.0))
    codes = [(await _get(service, "/"))[0] for _ in range(10)]
    assert codes.count(500) == 4
    assert (await _get(service, "/health")) == (200, "ok\n")
    assert (await _get(service, "/nowhere"))[0] == 404
    samples = await _samples(service)
    assert samples["http_requests_total200"] == 6
    assert samples["http_requests_total500"] == 4
    assert samples["http_request_duration_seconds_count"] == 10
    assert samples["process_resident_memory_bytes"] > 0
    assert samples["service_memory_limit_bytes"] > 0


async def test_each_reach_looks_different_from_outside(service: SampleService) -> None:
    """Refusing refuses, hanging accepts and is silent, and both come back on the same port."""
    for _ in range(2):
        await service._enter(Mood(reach=Reach.REFUSES))
        with pytest.raises(ConnectionRefusedError):
            await _get(service, "/health")
        await service._enter(CALM)
        assert (await _get(service, "/health"))[0] == 200
        await service._enter(Mood(reach=Reach.HANGS))
        with pytest.raises(TimeoutError):
            await _get(service, "/health", timeout=0.05)
        await service._enter(CALM)
        assert (await _get(service, "/health"))[0] == 200


async def test_closing_cuts_those_who_wait(
    service: SampleService, caplog: pytest.LogCaptureFixture
) -> None:
    """A service that ends while it hangs leaves no connection and no complaint behind."""
    await service._enter(Mood(reach=Reach.HANGS))
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await SystemClock().sleep(0.05)
    await service.close()
    assert await reader.read() == b""
    writer.close()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_malformed_requests_do_no_harm(service: SampleService) -> None:
    """Garbage and a connection cut short leave the service in service."""
    for garbage in (b"\r\n\r\n", b"\xff\xfe \xff\r\n\r\n", b"GET", b"x" * 20_000):
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(garbage)
        writer.close()
    assert (await _get(service, "/health"))[0] == 200


async def test_slow_answers_do_not_slow_the_users_down() -> None:
    """Requests keep their rate while each takes far longer than the pause between them."""
    clock = SystemClock()
    service = SampleService(Profile("slow", Cycle(0, 60, 1), (Mood(latency=0.3),)), clock)
    await service.open()
    tasks = [asyncio.create_task(service.run())]
    tasks.append(asyncio.create_task(Traffic(service, clock, rate=100).run()))

    async def served() -> bool:
        return (await _samples(service)).get("http_request_duration_seconds_count", 0) >= 30

    await _eventually(served)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await service.close()


async def test_they_register_and_leave_in_good_order() -> None:
    """Each registers by the client over HTTP, and is removed when the demo ends."""
    seen: list[bytes] = []

    async def control_plane(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.split(b"\r\n")[0])
        body = b'{"id": "x"}' if head.startswith(b"POST") else b""
        status = b"201 Created" if body else b"204 No Content"
        lengths = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        writer.write(b"HTTP/1.1 " + status + b"\r\n" + lengths + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(control_plane, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    services = SampleServices(url, clock=SystemClock(), cycle=CYCLE)
    task = asyncio.create_task(services.run())

    async def all_registered() -> bool:
        return len(seen) == 3

    await _eventually(all_registered)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.close()
    assert seen[:3] == [b"POST /api/v1/targets HTTP/1.1"] * 3
    assert seen[3:] == [b"DELETE /api/v1/targets/x HTTP/1.1"] * 3


async def _eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(500):
        if await condition():
            return
        await SystemClock().sleep(0.01)
    raise AssertionError("it did not happen within 5 s")
