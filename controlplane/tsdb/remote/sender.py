"""One receiver: what the store has logged, sent in rounds, whatever happens in between."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import ControlPlaneError
from controlplane.model.duration import MINUTE
from controlplane.model.labels import Labels
from controlplane.telemetry.logs import get_logger
from controlplane.transport.backoff import backoff
from controlplane.tsdb.remote.delivery import Answer, Delivery
from controlplane.tsdb.remote.gather import Gatherer, Outgoing, Request, Round
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.options import RemoteWrite, RemoteWriteSettings
from controlplane.tsdb.remote.parts import MOST_REQUESTS, Parts
from controlplane.tsdb.remote.position import Position, Progress, ProgressFile
from controlplane.tsdb.remote.tail import begin_of_log, bytes_after, end_of_log
from controlplane.tsdb.sift import NEVER

log = get_logger(__name__)

T = TypeVar("T")

# How often the log is looked at while there is nothing to send.
_LOOK_SECONDS: Final = 0.1
# Whoever reads over there waits for what is sent: a request that is not full leaves
# after this part of the time that it may wait.
_PROMPT: Final = 50
_FIRST_PAUSE: Final[Duration] = 1_000


class OverBound(ControlPlaneError):
    """More waits for a receiver than may be kept for it."""


class Sender:
    """Sends one receiver what the log holds from its place on.

    The log is read in rounds, each cut into requests that several shards send
    at once; a series is always in one of them. The place, and what was answered
    of the round, are kept in a file: nothing is left out and, but for requests
    that were under way at a crash, nothing is sent twice.
    """

    def __init__(
        self,
        remote: RemoteWrite,
        external: Labels,
        settings: RemoteWriteSettings,
        *,
        directory: Path,
        place: ProgressFile,
        outgoing: Outgoing,
        delivery: Delivery,
        clock: Clock,
        metrics: RemoteWriteMetrics,
        thread: Executor,
        commits: Callable[[], int],
        chance: Random,
    ) -> None:
        """`thread` is a single one: what it is given is done in order.

        `commits` tells how often something was added to the log: the log is
        not looked at while there is nothing new in it.
        """
        self.remote = remote
        self.external = external
        self.settings = settings
        self._key = remote.key
        self._queue = remote.queue_config
        self._directory = directory
        self._place = place
        self._outgoing = outgoing
        self._delivery = delivery
        self._clock = clock
        self._metrics = metrics
        self._thread = thread
        self._commits = commits
        self._chance = chance
        self._gatherer: Gatherer | None = None
        # The commits that it has read, None while it may have left something of them.
        self._read: int | None = None
        self._began = -inf  # the last round, by the monotonic clock
        self._progress = Progress(Position(-1, 0))
        # By shard, the request of a resumed round that may have arrived already.
        self._under_way: Mapping[int, int] = {}
        # By shard, of the request that is being sent so many samples are done with.
        self._answered: dict[int, int] = {}
        self._parts_bound = MOST_REQUESTS
        metrics.begin(self._key, self._queue.max_shards, self._queue.min_shards)

    @property
    def needs(self) -> int:
        """The number of the oldest segment that is not done with."""
        return self._progress.begin.segment

    def open(self) -> None:
        """Find the place: where it was left, else the end of the log. Raises OSError."""
        saved, end = self._place.load(), end_of_log(self._directory)
        known = saved is not None or self._place.exists
        # A place that is damaged, or beyond a log that was begun anew, leads to the beginning.
        if saved is None or saved.begin.segment > end.segment:
            saved = Progress(begin_of_log(self._directory) if known else end)
        self._progress = saved
        self._place.save(saved)

    async def run(self) -> None:
        """Send until cancelled; what breaks is logged, counted and begun anew."""
        attempts = 0
        while True:
            try:
                while True:
                    await self._round(self._queue.batch_send_deadline)
                    attempts = 0
            except Exception:  # the top of a loop: one receiver must not end the others
                attempts += 1
                self._metrics.restarts.labels(self._key).inc()
                log.exception("remote write broke off", remote=self._key)
            self._gatherer = None
            pause = backoff(attempts, first=_FIRST_PAUSE, longest=MINUTE, chance=self._chance)
            await self._clock.sleep(pause / 1000)

    async def drain(self) -> None:
        """Send what is in the log now, and wait for no more. Call it when `run` has ended."""
        self._gatherer = None
        target = end_of_log(self._directory)
        while self._progress.begin < target and await self._round(0):
            pass
        self._metrics.log_bytes.labels(self._key).set(self.unsent())

    def unsent(self) -> int:
        """Return how many bytes of the log are not done with."""
        return bytes_after(self._directory, self._progress.begin)

    async def close(self) -> None:
        """Close the connections."""
        await self._delivery.close()

    def forget(self) -> None:
        """Drop the place: the receiver is gone."""
        self._place.remove()
        self._metrics.forget(self._key)

    async def _round(self, patience: Duration) -> bool:
        """Gather and send a round; return False when there was nothing within `patience`."""
        round_ = await self._next(patience)
        if round_ is None:
            return False
        self._answered = {}
        self._metrics.shards.labels(self._key).set(len(round_.shards))
        self._metrics.pending.labels(self._key).set(len(round_.batch))
        try:
            async with asyncio.TaskGroup() as shards:
                for shard, answered in enumerate(self._progress.done):
                    shards.create_task(self._send_shard(round_, shard, answered))
        except* OverBound:
            left = zip(round_.shards, self._progress.done, strict=True)
            unsent = sum(len(each) for shard, n in left for each in shard[n:])
            self._over_bound(unsent - sum(self._answered.values()))
        self._under_way = {}
        if self._progress.end is not None:  # some of it is given up
            await self._note(Progress(round_.end))
        self._metrics.pending.labels(self._key).set(0)
        return True

    async def _next(self, patience: Duration) -> Round | None:
        """Return a round; `_progress` says how many requests of each shard were answered."""
        progress = self._progress
        if self._gatherer is None:
            self._gatherer = self._new_gatherer()
            if progress.end is not None:
                return await self._same_round(self._gatherer, progress, progress.end)
        await self._keep_bound()
        gatherer = self._gatherer
        await self._gather(gatherer, patience)
        if not gatherer.samples:
            return None
        most = self._queue.max_samples_per_send
        shards = min(
            max(-(-gatherer.samples // most), self._queue.min_shards), self._queue.max_shards
        )
        return await self._on_thread(partial(self._cut, gatherer, shards, most))

    async def _same_round(
        self, gatherer: Gatherer, progress: Progress, end: Position
    ) -> Round | None:
        """Return the round that was under way when sending ended."""
        await self._on_thread(partial(gatherer.read, end))
        if not gatherer.samples:
            return None
        cut = partial(self._cut, gatherer, len(progress.done), progress.most, progress)
        round_ = await self._on_thread(cut)
        # Where the log does not hold all of it any more it is another round.
        if round_.end == end:
            self._under_way = dict(enumerate(progress.done))
        return round_

    def _cut(
        self, gatherer: Gatherer, shards: int, most: int, resumed: Progress | None = None
    ) -> Round:
        """Cut what was gathered, and note it; called on the thread, in one go."""
        round_ = gatherer.cut(shards, most)
        same = resumed if resumed is not None and resumed.end == round_.end else None
        done = (0,) * shards if same is None else same.done
        self._progress = Progress(round_.begin, round_.end, done, most)
        self._place.save(self._progress)
        return round_

    async def _gather(self, gatherer: Gatherer, patience: Duration) -> None:
        """Wait until a request is full, or the round before has begun a while ago.

        So a lone sample leaves at once, many share requests, and the more wait
        while a request is under way, the more go in the next.
        """
        while True:
            await self._look(gatherer)
            now = self._clock.monotonic()
            due = self._began + patience / 1000 / _PROMPT
            full = gatherer.full or gatherer.samples >= self._queue.max_samples_per_send
            if full or not patience or (gatherer.samples and now >= due):
                self._began = now
                return
            wait = min(_LOOK_SECONDS, patience / 1000)
            await self._clock.sleep(min(wait, due - now) if gatherer.samples else wait)

    async def _look(self, gatherer: Gatherer) -> None:
        """Take in what was committed since the last look."""
        commits = self._commits()
        if commits == self._read:
            return
        await self._on_thread(gatherer.read)
        self._read = None if gatherer.full else commits
        self._metrics.pending.labels(self._key).set(gatherer.samples)

    def _new_gatherer(self) -> Gatherer:
        self._read = None
        most = self._queue.capacity * self._queue.max_shards
        return Gatherer(self._directory, self._outgoing, self._progress.begin, most)

    async def _send_shard(self, round_: Round, shard: int, answered: int) -> None:
        """Send the requests of a shard in order, each until it is done with. Raises OverBound."""
        for number in range(answered, len(round_.shards[shard])):
            repeated = self._under_way.get(shard) == number
            await self._send_request(round_, shard, number, repeated=repeated)
            self._answered[shard] = 0
            await self._note(self._after(round_, shard, number))

    def _after(self, round_: Round, shard: int, number: int) -> Progress:
        """Return the progress once a request is done with."""
        done = self._progress.done
        done = (*done[:shard], number + 1, *done[shard + 1 :])
        if all(answered == len(each) for answered, each in zip(done, round_.shards, strict=True)):
            return Progress(round_.end)
        return replace(self._progress, done=done)

    async def _send_request(
        self, round_: Round, shard: int, number: int, *, repeated: bool
    ) -> None:
        """Send a request whole, or in parts where some of it comes too late. Raises OverBound."""
        places = round_.shards[shard][number]
        parts, attempt = Parts(round_.batch, places, self._parts_bound), 0
        while (part := parts.next()) is not None:
            make = partial(round_.request, part, self._outgoing, self._cutoff())
            request = await self._on_thread(make)
            divisible = parts.divisible(request.places)
            answer = await self._attempt(request, attempt, repeated=repeated, divisible=divisible)
            if not isinstance(answer, Answer):
                await self._wait(answer)
                attempt += 1
                continue
            attempt = 0
            self._leave_out(request)
            if answer is Answer.LATE:
                self._metrics.divided.labels(self._key).inc(parts.whole)
                parts.divide(request.places)
            else:
                parts.done(taken=answer is Answer.TAKEN)
            before = self._answered.get(shard, 0)
            self._answered[shard] = len(places) - parts.left
            self._metrics.pending.labels(self._key).dec(self._answered[shard] - before)
        self._parts_bound = parts.next_bound

    async def _attempt(
        self, request: Request, attempt: int, *, repeated: bool, divisible: bool
    ) -> Duration | Answer:
        if not request.samples:
            return Answer.REFUSED
        return await self._delivery.attempt(
            request, attempt, repeated=repeated, divisible=divisible
        )

    async def _wait(self, wait: Duration) -> None:
        """Wait before the next attempt. Raises OverBound."""
        unsent = self.unsent()
        self._metrics.log_bytes.labels(self._key).set(unsent)
        if self._excess(unsent) > 0:
            raise OverBound
        await self._clock.sleep(wait / 1000)

    def _leave_out(self, request: Request) -> None:
        """Count what was not sent of a request that was answered."""
        self._count_dropped("relabelled", request.relabelled)
        self._count_dropped("histogram", request.histograms)
        self._count_dropped("too_old", request.too_old)
        self._delivery.lost("remote write drops", request.too_old, "older than the limit")

    async def _keep_bound(self) -> None:
        """Pass over the oldest part of the log when more waits than may be kept."""
        unsent = self.unsent()
        self._metrics.log_bytes.labels(self._key).set(unsent)
        excess = self._excess(unsent)
        if excess <= 0:
            return
        fresh = self._gatherer = self._new_gatherer()
        self._over_bound(await self._on_thread(partial(fresh.skip, excess)))
        await self._note(Progress(fresh.begin))

    def _excess(self, unsent: int) -> int:
        return unsent - self.settings.max_size if self.settings.max_size else 0

    def _over_bound(self, samples: int) -> None:
        self._count_dropped("over_bound", samples)
        self._delivery.lost("remote write drops", samples, "more waits than may be kept")

    def _cutoff(self) -> Timestamp:
        """Return the instant before which samples are too old to be sent."""
        limits = (self._queue.sample_age_limit, self.settings.max_age)
        shortest = min((limit for limit in limits if limit), default=0)
        return self._clock.now() - shortest if shortest else NEVER

    def _count_dropped(self, reason: str, samples: int) -> None:
        self._metrics.dropped.labels(self._key, reason).inc(samples)

    async def _note(self, progress: Progress) -> None:
        self._progress = progress
        # Who is cancelled here has noted: else a busy thread would forget what was answered.
        await asyncio.shield(self._on_thread(partial(self._place.save, progress)))

    def _on_thread(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._thread, work)
