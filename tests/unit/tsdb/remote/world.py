"""What the tests of remote write stand on."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.ports import Write
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.options import QueueOptions, RemoteWrite, RemoteWriteOptions
from controlplane.tsdb.remote.ports import Family
from controlplane.tsdb.remote.remotes import RemoteWrites
from controlplane.tsdb.store import Store

_PATIENCE = 10.0
QUICK = QueueOptions(batch_send_deadline=20, min_backoff=5, max_backoff=20)


def remote(url: str, queue: QueueOptions = QUICK, **options: Any) -> RemoteWrite:
    """Return a receiver at the pace of tests."""
    return RemoteWrite(url, queue_config=queue, **options)


def series(count: int, name: str = "m", **labels: str) -> list[Labels]:
    return [Labels({"__name__": name, "n": str(n), **labels}) for n in range(count)]


async def eventually(look: Callable[[], object], what: str) -> None:
    """Wait until `look()` is true."""
    clock = SystemClock()
    until = clock.monotonic() + _PATIENCE
    while not look():
        assert clock.monotonic() < until, f"not seen: {what}"
        await clock.sleep(0.005)


class World:
    """A store and its remote writes; `now` is the instant of the next tick."""

    def __init__(
        self, directory: Path, clients: HTTPClients, options: StoreOptions | None = None
    ) -> None:
        self.directory = directory
        self.clock = SystemClock()
        self.registry = CollectorRegistry()
        self.families: Mapping[str, Family] = {}
        options = options or StoreOptions(commit_interval=0)
        self.store = Store.open(directory / "samples", options, self.clock, self.registry)
        self._clients = clients
        self._metrics = RemoteWriteMetrics(self.registry)
        self.writes = self._remote_writes()
        self.now = self.clock.now() - 600_000
        self.task: asyncio.Task[None] | None = None
        self.options = RemoteWriteOptions()

    async def apply(self, *remotes: RemoteWrite, **options: Any) -> None:
        """Send to these from now on."""
        self.options = replace(self.options, remotes=remotes, **options)
        await self.writes.apply(self.options)

    def start(self) -> None:
        """Begin to send."""
        self.task = asyncio.create_task(self.writes.run())

    async def crash(self) -> None:
        """Forget everything about sending that is not on the disk, and begin anew."""
        await self.stop()
        await self.writes.close()
        self.writes = self._remote_writes()
        await self.writes.apply(self.options)
        self.start()

    def _remote_writes(self) -> RemoteWrites:
        return RemoteWrites(
            self.store,
            self.directory / "remote_write",
            self._clients,
            lambda: self.families,
            clock=self.clock,
            metrics=self._metrics,
            chance=Random(1),
        )

    async def stop(self) -> None:
        """Send no more; what is there stays."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    def tick(self, labels: Sequence[Labels], ticks: int = 1) -> list[int]:
        """Append a sample of each series at each of the next instants; return those."""
        refs, times = self.store.refs(labels), []
        for _ in range(ticks):
            times.append(self.now)
            values = np.arange(len(labels), dtype=np.float64)
            self.store.append([Write("test", self.now, refs, values)])
            self.now += 1000
            assert self.store.flush()
        return times

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric of the receiver called `r`."""
        labels = {"remote": "r", **labels}
        value = self.registry.get_sample_value(f"controlplane_remote_write_{name}", labels)
        assert value is not None, name
        return value

    async def close(self) -> None:
        """End everything."""
        await self.stop()
        await self.writes.close()
        await self.store.close()
