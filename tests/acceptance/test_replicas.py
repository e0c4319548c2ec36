"""Two replicas of one service, killed and paused: one page for one incident."""

import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.clock import SystemClock
from controlplane.demo.standins import WebhookStandIn
from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.acceptance.house import Shop, configuration, shop, write_rules
from tests.support import postgres, valkey
from tests.support.engines import ENGINES, Engine
from tests.support.service import PATIENCE, Service, eventually, run_command

_CLOCK = SystemClock()
_ROLES: Final = ("prober", "evaluator", "notifier")
_TARGETS: Final = [f"shop-{number}" for number in range(8)]
_LEASE: Final = 4
_SHARDS: Final = re.compile(r'^controlplane_shards\{role="(\w+)"\} ([0-9.]+)$', re.MULTILINE)


@dataclass
class Two:
    """Two replicas, what they watch, and who they tell."""

    first: Service
    second: Service
    shop: Shop
    hook: WebhookStandIn
    redis: valkey.Valkey
    configuration: Mapping[str, Any]

    def told(self, status: str) -> Counter[str]:
        """Return how often each target was told to be in a state."""
        return Counter(
            payload["groupLabels"]["job"]
            for payload in self.hook.payloads
            if payload["status"] == status
        )

    async def once_each(self, status: str) -> None:
        """Return when everything was told; fail when something is told twice."""
        await self.hook.wait_for(lambda: len(self.told(status)) == len(_TARGETS), PATIENCE)
        await _CLOCK.sleep(2)
        assert self.told(status) == Counter(_TARGETS)


async def _shards(service: Service) -> dict[str, int]:
    text = (await service.request("GET", "/metrics")).text
    return {role: round(float(count)) for role, count in _SHARDS.findall(text)}


async def _owns_all(*services: Service) -> None:
    """Return when the replicas have every shard between them, each of them some."""

    async def look() -> bool:
        held = [await _shards(service) for service in services]
        return all(
            sum(each[role] for each in held) == 256 and all(each[role] for each in held)
            for role in _ROLES
        )

    await eventually(look, "shards that are all owned")


@pytest.fixture(params=ENGINES)
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Two]:
    """Start PostgreSQL, Redis, an engine and two replicas that watch eight targets."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgres.server().database())
        database = Database(url)
        await migrate.upgrade(database)
        await database.close()
        redis = stack.enter_context(valkey.started())
        engine = Engine(request.param, tmp_path / "engine")
        await engine.start()
        stack.push_async_callback(engine.stop)
        shop_ = await stack.enter_async_context(shop())
        hook = await stack.enter_async_context(WebhookStandIn())
        said = configuration(
            {"webhook_configs": [{"url": hook.url}]},
            storage={"url": url},
            cluster={"url": redis.url, "lease": f"{_LEASE}s", "renew": "1s"},
            datasource={"url": engine.url},
            remote_write=[{"url": engine.write_url}],
            rule_files=[write_rules(tmp_path / "shop.rules.yml")],
        )
        services = []
        for name in ("first", "second"):
            directory = tmp_path / name
            directory.mkdir()
            service = Service(directory, said, environment={"CONTROLPLANE_REPLICA": name})
            stack.push_async_callback(service.close)
            services.append(await service.start())
        await _owns_all(*services)
        for number, name in enumerate(_TARGETS):
            await services[number % 2].register(name, shop_.url)
        yield Two(services[0], services[1], shop_, hook, redis, said)


@pytest.mark.slow
async def test_one_page_whoever_dies_or_stands_still(two: Two) -> None:
    """Each incident opens once and ends once, though a replica is killed and one is paused."""
    two.shop.status = 500
    await two.once_each("firing")

    await two.first.kill()
    begin = _CLOCK.monotonic()
    await _owns_all(two.second)
    assert _CLOCK.monotonic() - begin < 2 * _LEASE + 2
    two.shop.status = 200
    await two.once_each("resolved")

    two.hook.payloads.clear()
    await two.first.start()
    await _owns_all(two.first, two.second)
    two.second.process.send_signal(signal.SIGSTOP)
    try:
        await _owns_all(two.first)
        two.shop.status = 500
        await two.hook.wait_for(lambda: len(two.told("firing")) == len(_TARGETS), PATIENCE)
    finally:
        two.second.process.send_signal(signal.SIGCONT)
    await two.second.logged("stood still for longer than the lease")
    await two.once_each("firing")
    await _owns_all(two.first, two.second)
    assert await two.first.terminate() == 0
    await _owns_all(two.second)
    two.shop.status = 200
    await two.once_each("resolved")


@pytest.mark.slow
@pytest.mark.parametrize("two", ENGINES[:1], indirect=True)
async def test_redis_may_go_and_come_back(two: Two) -> None:
    """Without Redis, for longer than a lease, pages leave; nothing is told twice afterwards."""
    two.redis.stop()
    await two.first.logged("redis does not answer")
    two.shop.status = 500
    await two.once_each("firing")
    await _CLOCK.sleep(_LEASE)
    before = [await _shards(service) for service in (two.first, two.second)]
    two.redis.start()
    await two.second.logged("redis answers again")
    two.shop.status = 200
    await two.once_each("resolved")
    assert [await _shards(service) for service in (two.first, two.second)] == before
    assert not two.first.events("stood still for longer than the lease")


@pytest.mark.slow
@pytest.mark.parametrize("two", ENGINES[:1], indirect=True)
async def test_another_file_at_one_replica_is_noticed(two: Two) -> None:
    """Both tell it when one of them has loaded it, and that it is over when the other has too."""
    replicas = (two.first, two.second)

    async def digests() -> list[set[str]]:
        found = [(await each.get("/api/v1/replicas"))["items"] for each in replicas]
        return [{replica["config_digest"] for replica in items} for items in found]

    [digest] = set.union(*await digests())
    two.first.configure({**two.configuration, "canaries": ["127.0.0.1:1"]})
    two.first.hang_up()
    for each in replicas:
        line = await each.logged("replicas differ in configuration")
        assert sorted(text[14:] for text in line["configurations"]) == ["first", "second"]
        metrics = (await each.request("GET", "/metrics")).text
        assert "controlplane_cluster_configurations 2.0" in metrics
    assert [len(each) for each in await digests()] == [2, 2]
    two.second.configure({**two.configuration, "canaries": ["127.0.0.1:1"]})
    two.second.hang_up()
    for each in replicas:
        await each.logged("replicas agree in configuration again")
    [other] = set.union(*await digests())
    assert other != digest


@pytest.mark.slow
@pytest.mark.parametrize("two", ENGINES[:1], indirect=True)
async def test_one_more_that_does_not_fit_is_refused(two: Two, tmp_path: Path) -> None:
    """Without Redis, without an engine, or on SQLite, a third does not start, and says why."""
    third = tmp_path / "third"
    third.mkdir()
    service = Service(third)

    async def refusal(configuration: Mapping[str, Any]) -> str:
        service.configure(configuration)
        words = ("--config", str(service.config), "--data-dir", str(service.data))
        code, _, errors = await run_command("serve", *words, "--listen", "127.0.0.1:0")
        assert code == 1
        return errors

    said = two.configuration
    without = {key: {k: v for k, v in said.items() if k != key} for key in said}
    assert "has no cluster.url" in await refusal(without["cluster"])
    assert "datasource missing" in await refusal(without["datasource"])
    assert "need one PostgreSQL" in await refusal(without["storage"])
    await service.close()
