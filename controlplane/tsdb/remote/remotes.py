"""All receivers of remote write: those of the configuration, each with its place in the log."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from controlplane.clock import Clock, Duration
from controlplane.errors import Unavailable
from controlplane.telemetry.logs import get_logger
from controlplane.transport.http_client import HTTPClients
from controlplane.tsdb.ports import Write
from controlplane.tsdb.remote.delivery import Delivery
from controlplane.tsdb.remote.gather import Outgoing
from controlplane.tsdb.remote.messages import Version1, Version2
from controlplane.tsdb.remote.metadata import MetadataSender
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.options import RemoteWrite, RemoteWriteOptions, WriteMessage
from controlplane.tsdb.remote.ports import Families, Logged
from controlplane.tsdb.remote.position import ProgressFile
from controlplane.tsdb.remote.post import Poster
from controlplane.tsdb.remote.sender import Sender

log = get_logger(__name__)

_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class _Remote:
    """A receiver's sender and, for version 1, what tells it of metadata."""

    sender: Sender
    metadata: MetadataSender | None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.sender.run())
            if self.metadata is not None:
                tasks.create_task(self.metadata.run())


class RemoteWrites:
    """Sends what the store commits to every receiver of the options last applied."""

    def __init__(
        self,
        store: Logged,
        directory: Path,
        clients: HTTPClients,
        families: Families,
        *,
        clock: Clock,
        metrics: RemoteWriteMetrics,
        chance: Random,
    ) -> None:
        """`directory` is for the receivers' places; it is made when there is one."""
        self._store = store
        self._directory = directory
        self._clients = clients
        self._families = families
        self._clock = clock
        self._metrics = metrics
        self._chance = chance
        self._remotes: dict[str, _Remote] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="remote-write")
        self._running = False
        self._highest = 0
        self._commits = 0
        store.hold_log(self.needed)
        store.subscribe(self.on_commit)

    async def apply(self, options: RemoteWriteOptions) -> None:
        """Change to other receivers; one whose key stays goes on at its place in the log.

        Raises InvalidInput for HTTP options that contradict one another and
        Unavailable when there is no directory for places: then nothing has changed.
        """
        if options.remotes:
            await asyncio.to_thread(self._make_directory)
        fresh = {
            remote.key: self._remote(remote, options)
            for remote in options.remotes
            if not self._has(remote, options)
        }
        keys = {remote.key for remote in options.remotes}
        gone = [key for key in self._remotes if key in fresh or key not in keys]
        for key in gone:
            await self._end(key, forget=key not in keys)
        for remote in fresh.values():
            await asyncio.to_thread(remote.sender.open)
        self._remotes |= fresh
        await asyncio.to_thread(self._drop_strangers, keys)
        if self._running:
            self._start()

    def needed(self) -> int | None:
        """Return the oldest segment of the log that a receiver has yet to get."""
        remotes = list(self._remotes.values())
        return min((remote.sender.needs for remote in remotes), default=None)

    def on_commit(self, writes: Sequence[Write]) -> None:
        """Take note that there is something new, and of the newest instant; on the store's thread.

        What is told of here is in the log already.
        """
        self._commits += 1
        newest = self._highest
        for write in writes:
            times = write.times
            newest = max(newest, times if isinstance(times, int) else int(times.max(initial=0)))
        if newest > self._highest:
            self._highest = newest
            self._metrics.highest.set(newest / 1000)

    async def run(self) -> None:
        """Send until cancelled."""
        self._running = True
        self._start()
        try:
            await asyncio.Event().wait()
        finally:
            self._running = False
            await self._stop(list(self._tasks))

    async def drain(self, within: Duration) -> None:
        """Send what is in the log when `run` has ended; what is not taken in time stays there."""
        await self._store.drain()
        try:
            async with asyncio.timeout(within / 1000), asyncio.TaskGroup() as tasks:
                for remote in self._remotes.values():
                    tasks.create_task(remote.sender.drain())
        except TimeoutError:
            for key, remote in self._remotes.items():
                if left := remote.sender.unsent():
                    log.warning("remote write goes on at the next start", remote=key, bytes=left)

    async def close(self) -> None:
        """Close the connections and end the thread."""
        for remote in self._remotes.values():
            await remote.sender.close()
        await asyncio.to_thread(self._thread.shutdown)

    def _has(self, remote: RemoteWrite, options: RemoteWriteOptions) -> bool:
        running = self._remotes.get(remote.key)
        return running is not None and (
            running.sender.remote == remote
            and running.sender.external == options.external_labels
            and running.sender.settings == options.settings
        )

    def _start(self) -> None:
        for key, remote in self._remotes.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(remote.run(), name=f"remote write {key}")

    async def _stop(self, keys: Sequence[str]) -> None:
        tasks = [self._tasks.pop(key) for key in keys if key in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, key: str, *, forget: bool) -> None:
        await self._stop([key])
        sender = self._remotes.pop(key).sender
        # What its thread was given before is done now.
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)
        if forget:
            log.info("remote write ended", remote=key, unsent_bytes=sender.unsent())
            sender.forget()
        await sender.close()

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"remote write: {self._directory}: {error.strerror}") from None

    def _drop_strangers(self, keys: set[str]) -> None:
        """Forget the places of receivers that were taken out while the service was down."""
        known = {self._file(key).name for key in keys}
        for path in self._directory.glob(f"*{_SUFFIX}"):
            if path.name not in known:
                path.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._directory / f"{sha256(key.encode()).hexdigest()[:16]}{_SUFFIX}"

    def _remote(self, remote: RemoteWrite, options: RemoteWriteOptions) -> _Remote:
        directory = self._store.log_directory
        if directory is None:
            raise Unavailable("remote write needs a sample store that keeps a log")
        poster = Poster(
            self._clients.client(remote.http_client),
            remote.url,
            remote.headers,
            timeout=remote.remote_timeout,
            patient=remote.queue_config.retry_on_http_429,
            clock=self._clock,
        )
        version_2 = remote.protobuf_message is WriteMessage.V2
        message = Version2(self._families) if version_2 else Version1()
        delivery = Delivery(
            remote.key,
            poster,
            message,
            remote.queue_config,
            clock=self._clock,
            metrics=self._metrics,
            chance=self._chance,
        )
        sender = Sender(
            remote,
            options.external_labels,
            options.settings,
            directory=directory,
            place=ProgressFile(self._file(remote.key)),
            outgoing=Outgoing(
                options.external_labels,
                remote.write_relabel_configs,
                message,
                histograms=remote.send_native_histograms,
            ),
            delivery=delivery,
            clock=self._clock,
            metrics=self._metrics,
            thread=self._thread,
            commits=lambda: self._commits,
            chance=self._chance,
        )
        return _Remote(sender, None if version_2 else self._metadata(remote, poster))

    def _metadata(self, remote: RemoteWrite, poster: Poster) -> MetadataSender | None:
        if not remote.metadata_config.send:
            return None
        return MetadataSender(
            remote.key,
            remote.metadata_config,
            self._families,
            poster,
            clock=self._clock,
            metrics=self._metrics,
        )
