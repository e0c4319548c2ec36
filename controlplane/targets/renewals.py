"""Renewals of leases, many in one transaction: ten thousand services renew all the time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from controlplane.clock import Timestamp

# Makes renewals durable, each target's id with its instant.
Commit = Callable[[Mapping[str, Timestamp]], Awaitable[None]]


class Renewals:
    """Group commit: whoever comes while `lock` is held shares the next transaction."""

    def __init__(self, commit: Commit, lock: asyncio.Lock) -> None:
        self._commit = commit
        self._lock = lock
        self._waiting: dict[str, Timestamp] = {}
        self._next: asyncio.Task[None] | None = None

    async def add(self, target_id: str, at: Timestamp) -> None:
        """Return when the renewal is durable. Raises what `commit` raises."""
        self._waiting[target_id] = max(at, self._waiting.get(target_id, at))
        if self._next is None:
            self._next = asyncio.create_task(self._commit_waiting())
        # One of those who wait may be cancelled; the renewal of the others goes on.
        await asyncio.shield(self._next)

    async def _commit_waiting(self) -> None:
        async with self._lock:
            batch, self._waiting, self._next = self._waiting, {}, None
            await self._commit(batch)
