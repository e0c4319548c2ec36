"""The worker: sends what stands in the outbox, each receiver in its own time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from random import Random, SystemRandom
from typing import Final

from opentelemetry.trace import Span, StatusCode

from controlplane.clock import Clock, Duration, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError
from controlplane.notify.attempting import Result, attempt, insist, written
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.dead_letters import DeadLetterAlerts
from controlplane.notify.delivery import claim, fail, succeed
from controlplane.notify.errors import DeliveryError
from controlplane.notify.message import Attempt, Claim, Delivery, Message, MessageState, Seat
from controlplane.notify.metrics import NotifyMetrics
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.ports import Integration, NotificationStore
from controlplane.notify.rate import Rate
from controlplane.telemetry.correlation import correlated
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage
from controlplane.telemetry.traces import exemplar, span
from controlplane.transport.backoff import backoff
from controlplane.transport.breaker import BreakerOptions, BreakerState, CircuitBreaker

log = get_logger(__name__)

# What becomes due otherwise than by its time is noticed within so many seconds.
LONGEST_SLEEP: Final = 5.0
# The outbox is counted this often; between, no message waits for it.
_DEPTH_INTERVAL: Final = 5.0
_AFTER_ERROR: Final = 1.0
# Nobody is made to wait longer than this by a Retry-After, in seconds.
_LONGEST_RETRY_AFTER: Final = 3600.0


class Worker:
    """Claims messages and sends them.

    `wake` has it look for work at once; with `seat` and `begin` others claim a
    message in the transaction that queues it, and have it sent. Each channel (a receiver's
    integration) has its own concurrency, breaker and waiting, so that a slow
    or dead one delays no other.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        clock: Clock,
        *,
        owner: str,
        options: DeliveryOptions,
        metrics: NotifyMetrics,
        dead_letters: DeadLetterAlerts | None = None,
        breaker: BreakerOptions | None = None,
        chance: Random | None = None,
        longest_sleep: float = LONGEST_SLEEP,
    ) -> None:
        """Claim as `owner`: `name` or `name/run`; look each `longest_sleep` seconds at least."""
        self._store = store
        self._channels = channels
        self._clock = clock
        self._owner = owner
        self._breaker_options = breaker
        self._chance = chance or SystemRandom()
        self._options = options
        self._metrics = metrics
        self._dead_letters = dead_letters
        self._breakers: dict[Channel, CircuitBreaker] = {}
        self._rates: dict[Channel, Rate] = {}
        self._quiet_until: dict[Channel, float] = {}
        self._busy: Counter[Channel] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._outage = Outage(log, clock.monotonic)
        self._subscribers: list[Callable[[Message, Attempt, MessageState], None]] = []
        self._draining = False
        self._released = False
        self._depth_due = 0.0
        self._looked = clock.monotonic()
        self._longest_sleep = longest_sleep

    @property
    def options(self) -> DeliveryOptions:
        return self._options

    def configure(self, options: DeliveryOptions) -> None:
        """Use other options from now on, for attempts that have not begun."""
        self._options = options
        self._rates.clear()
        self.wake()

    def subscribe(self, tried: Callable[[Message, Attempt, MessageState], None]) -> None:
        """Have `tried` called after each attempt with the state it left; it must not block."""
        self._subscribers.append(tried)

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def seat(self, channel: Channel) -> Seat | None:
        """Return leave to claim and begin one message now; see ports.Sender.

        None while a breaker is not closed: its trial is for what waits longest.
        """
        ready = self._released and not self._draining
        if not ready or self._breaker(channel).state is not BreakerState.CLOSED:
            return None
        if not self._room(channel):
            return None
        self._reserve(channel, 1)
        return self._lease()

    def begin(self, claim: Claim) -> None:
        """Attempt what was claimed with a seat."""
        channel = claim.message.channel
        if self._draining:
            self.leave(channel)  # the next process frees its lease
        else:
            self._start(channel, claim)

    def leave(self, channel: Channel) -> None:
        """Give back a seat."""
        self._reserve(channel, -1)
        self._woken.set()

    async def run(self) -> None:
        """Send what is due, until cancelled. What this owner left behind is freed first."""
        await self._release()
        while True:
            self._woken.clear()
            looked = self._clock.now()
            try:
                await self._start_due(looked)
                self._looked = self._clock.monotonic()
                await self._note_depth()
                seconds = await self._idle_time(looked)
                self._outage.works("the outbox is read again")
            except ControlPlaneError as error:
                self._outage.fails("the outbox cannot be read", reason=str(error))
                seconds = _AFTER_ERROR
            await sleep_unless(self._clock, self._woken, seconds)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and give what is under way this long to end."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def behind(self) -> float:
        """Return for how many seconds the outbox has not been looked at."""
        return self._clock.monotonic() - self._looked

    def held(self, channel: Channel) -> float:
        """Return for how many seconds a channel is left alone, by its breaker or its own wish."""
        now, until = self._clock.monotonic(), self._quiet_until.get(channel, 0.0)
        if self.breaker(channel) is not BreakerState.CLOSED:
            until = max(until, self._breakers[channel].until)
        return max(0.0, until - now)

    def breaker(self, channel: Channel) -> BreakerState:
        """Return how the breaker of a channel stands."""
        return known.state if (known := self._breakers.get(channel)) else BreakerState.CLOSED

    async def idle(self) -> None:
        """Return when no attempt is under way."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def _release(self) -> None:
        """Free the leases of an earlier process; later they would be our own."""
        if self._released:
            return
        freed = await self._store.release(self._owner)
        self._released = True
        if freed:
            log.info("attempts of an earlier run are repeated", messages=freed)

    async def _start_due(self, now: Timestamp) -> None:
        if self._draining:
            return
        for channel in await self._store.channels_due(now):
            for claimed in await self._claim(channel, self._room(channel)):
                self._start(channel, claimed)

    async def _note_depth(self) -> None:
        now = self._clock.monotonic()
        if now < self._depth_due:
            return
        self._depth_due = now + _DEPTH_INTERVAL
        for state, number in (await self._store.depth()).items():
            self._metrics.outbox.labels(state.value).set(number)

    def _room(self, channel: Channel) -> int:
        """Return how many attempts may begin at a channel now."""
        now = self._clock.monotonic()
        room = self._options.concurrency - self._busy[channel]
        quiet = self._quiet_until.get(channel, 0.0) > now
        if room <= 0 or quiet or self._channels.find(channel) is None:
            return 0
        breaker = self._breaker(channel)
        allowed = breaker.allows(now)
        self._metrics.breaker_open.labels(*channel).set(not allowed)
        trial = breaker.state is BreakerState.HALF_OPEN
        return self._rate(channel).room(now, 1 if trial else room) if allowed else 0

    async def _claim(self, channel: Channel, room: int) -> Sequence[Claim]:
        """Claim what there is room for; each claim holds its seat."""
        if not room:
            return ()
        claims: Sequence[Claim] = ()
        # Taken before the transaction, in which others might take them.
        self._reserve(channel, room)
        try:
            claims = await claim(
                self._store, channel, seat=self._lease(), limit=room, now=self._clock.now()
            )
        finally:
            self._reserve(channel, len(claims) - room)
        return claims

    def _reserve(self, channel: Channel, seats: int) -> None:
        """Take seats of a channel, or give back unused ones."""
        self._busy[channel] += seats
        if seats > 0:
            self._rate(channel).take(seats)
        else:
            self._rate(channel).give_back(-seats)

    def _lease(self) -> Seat:
        return Seat(self._owner, self._clock.now() + self._options.lease)

    def _start(self, channel: Channel, claimed: Claim) -> None:
        """Attempt a message in a task of its own; its seat is taken already."""
        task = asyncio.create_task(self._attempt(channel, claimed))
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._busy[channel] -= 1
            self._woken.set()
            problem = None if done.cancelled() else done.exception()
            if problem is not None:
                # A bug of ours: the lease runs out, and the message is sent again.
                log.error("an attempt broke", message=claimed.message.id, exc_info=problem)

        task.add_done_callback(ended)

    async def _attempt(self, channel: Channel, claimed: Claim) -> None:
        started = self._clock.monotonic()
        at = self._clock.now()
        self._metrics.attempts.labels(*channel).inc()
        with correlated(claimed.message.correlation_id), _traced(claimed) as traced:
            async with self._channels.use(channel) as integration:
                result = await self._send(integration, claimed)
            seconds = self._clock.monotonic() - started
            self._metrics.request_latency.labels(*channel).observe(seconds, exemplar())
            if isinstance(result, DeliveryError):
                traced.set_status(StatusCode.ERROR, result.reason.value)
            tried = written(claimed.message, result, at, seconds)
            try:
                if isinstance(result, Delivery):
                    await self._succeeded(channel, claimed, result, tried)
                else:
                    await self._failed(channel, claimed, result, tried)
            except ControlPlaneError as problem:
                # The lease runs out, and the message is sent again with the same key.
                log.warning("an attempt could not be written down", error=str(problem))

    async def _send(self, integration: Integration | None, claimed: Claim) -> Result:
        if integration is None:
            return DeliveryError("the receiver is no longer configured", temporary=True)
        if claimed.message.lease_until <= self._clock.now():
            return DeliveryError("its lease ran out before it was sent", temporary=True)
        limit = integration.timeout or self._options.timeout
        return await attempt(
            integration, claimed.notification, limit=limit, lease=self._options.lease
        )

    async def _succeeded(
        self, channel: Channel, claimed: Claim, delivery: Delivery, attempt: Attempt
    ) -> None:
        self._breaker(channel).succeeded(self._clock.monotonic())
        now = self._clock.now()
        write = partial(succeed, self._store, claimed.message, delivery, attempt, now)
        if await insist(write, self._clock, claimed.message):
            waited = max(0, now - claimed.message.created_at) / 1000
            self._metrics.sent.labels(*channel).inc()
            self._metrics.cut.labels(*channel).inc(delivery.cut)
            self._metrics.delivery_latency.labels(*channel).observe(waited, exemplar())
            log.info(
                "notification delivered",
                receiver=channel[0],
                integration=channel[1],
                message=claimed.message.id,
                alerts=len(claimed.message.content.alerts),
                status=claimed.notification.status.value,
                seconds=round(waited, 3),
            )
            self._tell(claimed.message, attempt, MessageState.DELIVERED)
            if self._dead_letters is not None:
                await self._dead_letters.arrived(channel)

    async def _failed(
        self, channel: Channel, claimed: Claim, error: DeliveryError, attempt: Attempt
    ) -> None:
        now = self._clock.monotonic()
        self._metrics.failed.labels(*channel, error.reason.value).inc()
        if error.retry_after is not None:
            self._quiet_until[channel] = now + min(error.retry_after, _LONGEST_RETRY_AFTER)
        elif error.temporary:
            self._breaker(channel).failed(now)
        else:
            self._breaker(channel).succeeded(now)  # it answers, though not kindly
        write = partial(
            fail,
            self._store,
            claimed.message,
            error,
            attempt,
            retry_in=self._wait(error, attempt.number),
            options=self._options,
            now=self._clock.now(),
        )
        state = await insist(write, self._clock, claimed.message)
        if state is MessageState.DEAD:
            self._metrics.dead.labels(*channel).inc()
            if self._dead_letters is not None:
                failed = replace(claimed.message, failure=error.detail)
                await self._dead_letters.died(channel, failed)
        self._tell(claimed.message, attempt, state)
        say = log.error if state is MessageState.DEAD else log.warning
        say(
            "notification failed",
            receiver=channel[0],
            integration=channel[1],
            message=claimed.message.id,
            attempt=attempt.number,
            reason=error.reason.value,
            status_code=error.status_code,
            detail=error.detail,
            now=state.value,
        )

    def _tell(self, message: Message, attempt: Attempt, state: MessageState) -> None:
        for tried in self._subscribers:
            tried(message, attempt, state)

    def _wait(self, error: DeliveryError, attempts: int) -> Duration:
        if error.retry_after is None:
            first, longest = self._options.first_backoff, self._options.longest_backoff
            return backoff(attempts, first=first, longest=longest, chance=self._chance)
        return round(min(error.retry_after, _LONGEST_RETRY_AFTER) * 1000)

    def _rate(self, channel: Channel) -> Rate:
        if channel not in self._rates:
            self._rates[channel] = Rate(self._options.rate, self._options.burst)
        return self._rates[channel]

    def _breaker(self, channel: Channel) -> CircuitBreaker:
        if channel not in self._breakers:
            self._breakers[channel] = CircuitBreaker(self._breaker_options)
        return self._breakers[channel]

    async def _idle_time(self, looked: Timestamp) -> float:
        """Return how long there is nothing to do, in seconds.

        What fell due since `looked` was not seen then: it is due at once.
        """
        if self._woken.is_set():
            return 0.0  # an attempt has ended meanwhile: its seat is free
        due = await self._store.next_attempt(looked)
        until = self._longest_sleep if due is None else max(0.0, (due - self._clock.now()) / 1000)
        paused = [breaker.until for breaker in self._breakers.values()]
        now = self._clock.monotonic()
        paced = [rate.until(now) for rate in self._rates.values()]
        left = [at - now for at in (*self._quiet_until.values(), *paused, *paced)]
        return min([self._longest_sleep, until, *(seconds for seconds in left if seconds > 0)])


def _traced(claimed: Claim) -> AbstractContextManager[Span]:
    message = claimed.message
    return span(
        "delivery attempt",
        receiver=message.receiver,
        integration=message.integration,
        message=message.id,
        attempt=message.attempts,
    )
