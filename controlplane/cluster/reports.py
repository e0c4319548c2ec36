"""How the rule groups fare that other replicas evaluate: implements rules.ports.Reports."""

import json
from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis

from controlplane.clock import Clock, Duration
from controlplane.cluster.connection import Connection
from controlplane.model.duration import HOUR

# Of a group that nobody has reported on for so long nothing is told.
_KEPT: Final[Duration] = HOUR


class RedisReports:
    """One hash, a field for each group: when it was written, and the report."""

    def __init__(self, connection: Connection, prefix: str, clock: Clock) -> None:
        self._connection = connection
        self._key = f"{prefix}:reports"
        self._clock = clock

    async def publish(self, reports: Mapping[str, Mapping[str, Any]]) -> None:
        if not reports:
            return
        now = self._clock.now()
        fields: dict[Any, Any] = {  # invariant: redis-py names all types at once
            name: json.dumps({"at": now, "report": report}) for name, report in reports.items()
        }

        async def put(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as commands:
                commands.hset(self._key, mapping=fields)
                commands.pexpire(self._key, _KEPT)
                await commands.execute()

        await self._connection.ask(put)

    async def read(self) -> Mapping[str, Mapping[str, Any]]:
        async def get(redis: Redis) -> Mapping[bytes, bytes]:
            async with redis.pipeline(transaction=False) as commands:
                commands.hgetall(self._key)
                [found] = await commands.execute()
            return dict(found)

        rows = await self._connection.ask(get)
        since = self._clock.now() - _KEPT
        found = {name.decode(): json.loads(row) for name, row in rows.items()}
        return {name: row["report"] for name, row in found.items() if row["at"] >= since}
