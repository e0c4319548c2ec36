"""Several replicas on one PostgreSQL, one Valkey and one Prometheus, all on this machine."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg

from benchmarks.peers import cpu_seconds
from controlplane.model.share import SHARDS, shard_of
from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.support import postgres, valkey
from tests.support.engines import Engine, running_engine
from tests.support.postgres import Keeper
from tests.support.service import Service, eventually

_DATABASE: Final = "controlplane"
# Registrations that are under way at a time.
_AT_ONCE: Final = 16
_SERIES: Final = re.compile(r"^(\w+(?:\{[^}]*\})?) ([0-9.e+]+)$", re.MULTILINE)
ROLES: Final = ("prober", "evaluator", "notifier")


@dataclass(slots=True)
class Cluster:
    """What runs. `replicas` are those that were made, started or not."""

    postgres: Keeper
    engine: Engine
    database: asyncpg.Connection
    replicas: list[Service] = field(default_factory=list)

    @property
    def running(self) -> list[Service]:
        return [each for each in self.replicas if each.url and each.process.returncode is None]

    @property
    def listens(self) -> list[str]:
        return [each.url.removeprefix("http://") for each in self.running]

    def cpu(self) -> float:
        """Return the CPU seconds of all replicas that run."""
        return sum(cpu_seconds(each.process.pid) for each in self.running)

    async def register(self, urls: Mapping[str, str]) -> dict[str, str]:
        """Register targets by name at all replicas in turn; return their ids."""
        free, replicas = asyncio.Semaphore(_AT_ONCE), self.running

        async def one(number: int, name: str, url: str) -> tuple[str, str]:
            async with free:
                target = await replicas[number % len(replicas)].register(name, url)
            return name, target["id"]

        tasks = [one(number, *item) for number, item in enumerate(urls.items())]
        return dict(await asyncio.gather(*tasks))

    async def settled(self) -> None:
        """Return when those that run have all shards between them, and each has some."""

        async def look() -> bool:
            held = [await series(each) for each in self.running]
            return all(
                sum(each[_shards(role)] for each in held) == SHARDS
                and all(each[_shards(role)] for each in held)
                for role in ROLES
            )

        await eventually(look, "shards that are all owned")

    async def owned_by(self, name: str, ids: Mapping[str, str]) -> set[str]:
        """Return the names of the targets that a replica probes."""
        rows = await self.database.fetch(
            "SELECT shard FROM shards WHERE role = 'prober' AND owner LIKE $1", f"{name}/%"
        )
        shards = {row["shard"] for row in rows}
        return {target for target, id_ in ids.items() if shard_of(id_) in shards}

    async def statements(self) -> int:
        """Return how many statements PostgreSQL has executed, but for these questions."""
        found = await self.database.fetchval(
            "SELECT sum(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"
        )
        return int(found or 0)


async def series(service: Service) -> dict[str, float]:
    """Return a replica's own series, by name and labels as they are written."""
    text = (await service.request("GET", "/metrics")).text
    return {name: float(value) for name, value in _SERIES.findall(text)}


async def total(services: Sequence[Service], name: str, labels: str = "") -> float:
    """Return the sum over a name's series, all or those with exactly these labels."""
    found = [await series(each) for each in services]
    return sum(
        value
        for each in found
        for key, value in each.items()
        if key == name + labels or (not labels and key.startswith(f"{name}{{"))
    )


def _shards(role: str) -> str:
    return f'controlplane_shards{{role="{role}"}}'


@asynccontextmanager
async def cluster(
    configuration: Mapping[str, Any], count: int, *, start: bool = True
) -> AsyncIterator[Cluster]:
    """Give `count` replicas, started and settled unless `start` is false."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="bench-cluster-")))
        kept = stack.enter_context(postgres.keeper())
        kept.stop()
        kept.start(max_connections="200", shared_preload_libraries="pg_stat_statements")
        kept.server.sql(f"CREATE DATABASE {_DATABASE}")
        url = kept.server.url(_DATABASE)
        database = Database(url)
        await migrate.upgrade(database)
        await database.close()
        asked = await asyncpg.connect(
            host=str(kept.server.sockets), user="postgres", database=_DATABASE
        )
        stack.push_async_callback(asked.close)
        await asked.execute("CREATE EXTENSION pg_stat_statements")
        redis = stack.enter_context(valkey.started())
        engine = await stack.enter_async_context(running_engine("prometheus", home / "engine"))
        found = Cluster(kept, engine, asked)
        said = {
            **configuration,
            # wrk asks as fast as it can.
            "limits": {"anonymous": {"read": 0}, "token": {"read": 0, "write": 0}},
            "storage": {"url": url},
            "cluster": {"url": redis.url},
            "datasource": {"url": engine.url},
            "remote_write": [{"url": engine.write_url}],
        }
        for number in range(count):
            directory = home / f"r{number}"
            directory.mkdir()
            service = Service(directory, said, environment={"CONTROLPLANE_REPLICA": f"r{number}"})
            stack.push_async_callback(service.close)
            found.replicas.append(service)
        if start:
            await asyncio.gather(*(each.start() for each in found.replicas))
            await found.settled()
        yield found


def paced(seconds: float, directory: Path, **sections: Any) -> dict[str, Any]:
    """Return a configuration: probes each so many seconds, one rule on them each second."""
    rules = directory / "bench.rules.yml"
    rules.write_text(
        "groups: [{name: bench, interval: 1s, rules: [{alert: Down, expr: probe_success == 0}]}]"
    )
    return {
        "global": {"scrape_interval": f"{seconds * 1000:.0f}ms", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "route": {"receiver": "oncall", "group_by": ["..."], "group_wait": "0s"},
        "receivers": [{"name": "oncall"}],
        **sections,
    }
