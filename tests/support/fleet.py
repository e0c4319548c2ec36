"""Several replicas of the service on one PostgreSQL, one Valkey and one metrics engine, all real.

Each replica sees the three through wires of its own, so that it alone can be
cut off from them; the last may be in a network of its own, and be cut off from
everything.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from controlplane.storage import migrate
from controlplane.storage.database import Database
from tests.support import postgres, valkey
from tests.support.engines import Engine, running_engine
from tests.support.namespace import Namespace
from tests.support.postgres import Keeper
from tests.support.service import Service
from tests.support.valkey import Valkey
from tests.support.wires import Wire, wire

_DATABASE: Final = "controlplane"
# Samples reach the engine about as soon as they are there.
_QUEUE: Final = {"batch_send_deadline": "200ms", "min_backoff": "100ms", "max_backoff": "1s"}


@dataclass(slots=True)
class Replica:
    """One process and what it sees the world through."""

    name: str
    service: Service
    wires: tuple[Wire, ...]

    @property
    def network(self) -> Namespace | None:
        return self.service.network

    def cut(self) -> None:
        """Take database, Valkey and engine from it; all there is, in a network of its own."""
        if self.network is not None:
            self.network.pull()
            return
        for each in self.wires:
            each.cut()

    def mend(self) -> None:
        """Give them back."""
        if self.network is not None:
            self.network.plug()
            return
        for each in self.wires:
            each.mend()


@dataclass(slots=True)
class Fleet:
    """Everything that runs."""

    postgres: Keeper
    valkey: Valkey
    engine: Engine
    replicas: list[Replica]

    @property
    def services(self) -> list[Service]:
        return [replica.service for replica in self.replicas]


@asynccontextmanager
async def fleet(
    directory: Path,
    configuration: Mapping[str, Any],
    *,
    count: int = 2,
    engine: str = "prometheus",
    roles: Mapping[int, str] | None = None,
    cluster: Mapping[str, str] | None = None,
    apart: Namespace | None = None,
) -> AsyncIterator[Fleet]:
    """Give `count` started replicas, the last of them in the network `apart`.

    `roles` are those of some, `cluster` adds to that section.
    """
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(postgres.keeper())
        kept.server.sql(f"CREATE DATABASE {_DATABASE}")
        await _migrate(kept)
        redis = stack.enter_context(valkey.started())
        samples = await stack.enter_async_context(running_engine(engine, directory / "engine"))
        replicas = []
        for number in range(count):
            network = apart if number == count - 1 else None
            ground = () if network is None else (network.ground,)
            wires = [
                await stack.enter_async_context(wire(far, *ground))
                for far in (kept.server.sockets / ".s.PGSQL.5432", redis.port, samples.port)
            ]
            name = f"r{number}"
            home = directory / name
            home.mkdir()
            service = Service(
                home,
                {**configuration, **_reached_by(wires, samples, cluster or {})},
                environment={
                    "CONTROLPLANE_REPLICA": name,
                    **({"CONTROLPLANE_ROLE": roles[number]} if roles and number in roles else {}),
                },
                network=network,
            )
            stack.push_async_callback(service.close)
            replicas.append(Replica(name, service, tuple(wires)))
        await asyncio.gather(*(each.service.start() for each in replicas))
        yield Fleet(kept, redis, samples, replicas)


def _reached_by(wires: list[Wire], engine: Engine, cluster: Mapping[str, str]) -> Mapping[str, Any]:
    database, redis, samples = wires
    url = f"http://{samples.address}"
    return {
        "storage": {"url": f"postgresql://postgres@{database.address}/{_DATABASE}"},
        "cluster": {"url": f"redis://{redis.address}", **cluster},
        "datasource": {"url": url},
        "remote_write": [
            {"url": engine.write_url.replace(engine.url, url), "queue_config": _QUEUE}
        ],
    }


async def _migrate(kept: Keeper) -> None:
    database = Database(kept.server.url(_DATABASE))
    await migrate.upgrade(database)
    await database.close()
