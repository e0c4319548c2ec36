"""Two replicas behind the nginx that we ship, restarted one after the other under load."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from controlplane.clock import SystemClock
from controlplane.demo.standins import WebhookStandIn
from tests.acceptance.house import Shop, configuration, shop, write_rules
from tests.support.engines import PROMETHEUS
from tests.support.fleet import Fleet, fleet
from tests.support.nginx import NGINX, nginx
from tests.support.service import eventually

_CLOCK: Final = SystemClock()
# Requests under way at a time: each client has one, on a connection that it keeps.
_CLIENTS: Final = 8
_PAUSE: Final = 0.05
# When nginx asks a replica again that has refused it; two that are gone at a time are an outage.
_NOTICED: Final = 2.0
# What becomes of the shop while each replica is away, and what has to be told of it.
_STORY: Final = ((500, "firing"), (200, "resolved"))
_READ: Final = (
    "/api/v1/targets?limit=50",
    "/alertmanager/api/v2/alerts/groups",
    "/prometheus/api/v1/rules",
    "/",
)


@dataclass(slots=True)
class Load:
    """Clients that read and write without end; what failed, and which alerts were taken."""

    address: str
    # What is registered: a service that is always well.
    well: str
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have them ask for the length of the block; each ends its last request."""
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(_CLIENTS):
                tasks.create_task(self._client(number, done))
            try:
                yield
            finally:
                done.set()

    async def _client(self, number: int, done: asyncio.Event) -> None:
        base = f"http://{self.address}"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as client:
            while not done.is_set():
                await self._once(client, number)
                await _CLOCK.sleep(_PAUSE)

    async def _once(self, client: httpx.AsyncClient, number: int) -> None:
        name, method, path, body = self._next(number)
        try:
            answer = await client.request(method, path, json=body)
        except httpx.TransportError as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return
        if not answer.is_success:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return
        self.answered[method] += 1
        if name:
            self.taken.append(name)

    def _next(self, number: int) -> tuple[str, str, str, Any]:
        """Return a request; the name is that of an alert which it brings."""
        turn = next(self.numbers)
        name = f"posted-{turn}"
        match number:
            case 0:
                alert = {"labels": {"alertname": "Posted", "job": name}}
                return name, "POST", "/alertmanager/api/v2/alerts", [alert]
            case 1:
                target = {"name": name, "url": self.well}
                return "", "POST", "/api/v1/targets", target
            case 2:
                # Of these nginx sends none a second time: two would be two.
                matcher = {"name": "job", "value": name, "isRegex": False}
                silence = {
                    "matchers": [matcher],
                    "startsAt": "2026-01-01T00:00:00Z",
                    "endsAt": "2099-01-01T00:00:00Z",
                    "createdBy": "load",
                    "comment": name,
                }
                return "", "POST", "/alertmanager/api/v2/silences", silence
            case _:
                return "", "GET", _READ[turn % len(_READ)], None


@dataclass(slots=True)
class Scene:
    """What runs."""

    fleet: Fleet
    shop: Shop
    hook: WebhookStandIn
    load: Load

    def told(self, status: str) -> Counter[str]:
        """Return how often each job was told to be in a state."""
        return Counter(
            payload["groupLabels"]["job"]
            for payload in self.hook.payloads
            if payload["status"] == status
        )

    async def each_restarted(self, end: Callable[[Any], Awaitable[object]]) -> None:
        """End each replica and start it again, one after the other; the shop breaks and heals."""
        async with self.load.running():
            await _CLOCK.sleep(2)
            for service, (status, told) in zip(self.fleet.services, _STORY, strict=True):
                self.shop.status = status
                await end(service)
                await _CLOCK.sleep(1)
                await service.start()
                await self._all_told(told, {"shop"})
                await _CLOCK.sleep(_NOTICED)

    async def told_often(self) -> set[int]:
        """Return how often each alert was told, once all that was taken in was told."""
        taken = {*self.load.taken, "shop"}
        await self._all_told("firing", taken)
        often = self.told("firing")
        return {often[name] for name in taken}

    async def _all_told(self, status: str, jobs: set[str]) -> None:
        async def look() -> bool:
            return not jobs - set(self.told(status))

        await eventually(look, f"{status} of each of {len(jobs)}")


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    """Start two replicas with all that they need, and nginx in front of them."""
    async with AsyncExitStack() as stack:
        shop_ = await stack.enter_async_context(shop())
        hook = await stack.enter_async_context(WebhookStandIn())
        said = configuration(
            {"webhook_configs": [{"url": hook.url}]},
            rule_files=[write_rules(directory / "shop.rules.yml")],
        )
        cluster = {"lease": "4s", "renew": "1s"}
        running = await stack.enter_async_context(fleet(directory, said, cluster=cluster))
        (directory / "nginx").mkdir()
        upstreams = [service.url.removeprefix("http://") for service in running.services]
        address = await stack.enter_async_context(nginx(directory / "nginx", upstreams))
        await running.services[0].register("shop", shop_.url)
        yield Scene(running, shop_, hook, Load(address, f"{running.engine.url}/-/healthy"))


needs_all = pytest.mark.skipif(
    NGINX is None or PROMETHEUS is None, reason="nginx or prometheus is not installed"
)


@pytest.mark.slow
@needs_all
async def test_no_request_fails_while_replicas_are_replaced(tmp_path: Path) -> None:
    """SIGTERM, one after the other: each request is answered, each alert told once."""
    async with scene(tmp_path) as running:
        await running.each_restarted(lambda service: service.terminate())
        assert running.load.failed == []
        assert min(running.load.answered["GET"], running.load.answered["POST"]) > 50
        assert await running.told_often() == {1}


@pytest.mark.slow
@needs_all
async def test_a_kill_fails_no_more_than_what_is_under_way(tmp_path: Path) -> None:
    """kill -9, one after the other: a request that must not be sent twice may fail, no other."""
    async with scene(tmp_path) as running:
        await running.each_restarted(lambda service: service.kill())
        failed = running.load.failed
        assert len(failed) <= len(running.fleet.replicas), failed
        assert all("POST /alertmanager/api/v2/silences: 502" in each for each in failed), failed
        # What was sent and not yet written down is sent again, with the same key.
        assert await running.told_often() <= {1, 2}
