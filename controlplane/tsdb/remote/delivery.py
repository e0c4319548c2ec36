"""Attempts at one request: what each came to is counted, told, and followed by a wait."""

from random import Random
from typing import Any, Final

from controlplane.clock import Clock, Duration
from controlplane.model.duration import MINUTE
from controlplane.telemetry.logs import get_logger
from controlplane.transport.backoff import backoff
from controlplane.tsdb.remote.gather import Request
from controlplane.tsdb.remote.messages import Message, Version2
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.options import QueueOptions
from controlplane.tsdb.remote.post import Accepted, Failed, Outcome, Poster, Refused

log = get_logger(__name__)

# A receiver may ask for patience, but not for ever.
_LONGEST_WAIT: Final[Duration] = 10 * MINUTE
# Lines about lost samples: one at once, then one in so many seconds.
_TELL_SECONDS: Final = 60.0
_NONE_WRITTEN: Final = "the receiver wrote none: does it know this protobuf_message?"


class Delivery:
    """Posts requests to one receiver and keeps the account of it."""

    def __init__(
        self,
        remote: str,
        poster: Poster,
        message: Message[Any],
        queue: QueueOptions,
        *,
        clock: Clock,
        metrics: RemoteWriteMetrics,
        chance: Random,
    ) -> None:
        self._remote = remote
        self._poster = poster
        self._message = message
        self._queue = queue
        self._clock = clock
        self._metrics = metrics
        self._chance = chance
        self._failing = False
        self._highest = 0
        self._lost = 0
        self._told = clock.monotonic() - _TELL_SECONDS

    async def attempt(
        self, request: Request, attempt: int, *, repeated: bool = False
    ) -> Duration | None:
        """Post a request, `attempt` counting from 0.

        Return the milliseconds to wait before the next attempt, None when the
        request is done with: accepted, or refused for good. One that may have
        arrived before a crash is `repeated`: its refusal is no loss.
        """
        began = self._clock.monotonic()
        outcome = await self._poster.post(request.body, self._message.headers, attempt)
        self._metrics.seconds.labels(self._remote).observe(self._clock.monotonic() - began)
        if isinstance(outcome, Failed):
            return self._failed(request, outcome, attempt)
        if repeated and isinstance(outcome, Refused):
            self._metrics.dropped.labels(self._remote, "repeated").inc(request.samples)
            log.info("remote write had arrived", remote=self._remote, reason=outcome.reason)
        else:
            self._settled(request, outcome)
        return None

    def lost(self, event: str, samples: int, reason: str) -> None:
        """Tell that samples will not arrive; often enough, but not each time."""
        self._lost += samples
        now = self._clock.monotonic()
        if samples and now - self._told >= _TELL_SECONDS:
            log.warning(event, remote=self._remote, samples=self._lost, reason=reason)
            self._told, self._lost = now, 0

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _settled(self, request: Request, outcome: Outcome) -> None:
        if self._failing:
            self._failing = False
            log.info("remote write works again", remote=self._remote)
        reason = outcome.reason if isinstance(outcome, Refused) else ""
        # A receiver of version 1 finds nothing in a body of version 2, and is content.
        if isinstance(self._message, Version2) and outcome in (Accepted(None), Accepted(0)):
            reason = _NONE_WRITTEN
        if reason:
            self._metrics.failed.labels(self._remote).inc(request.samples)
            self.lost("remote write refused", request.samples, reason)
            return
        self._metrics.sent.labels(self._remote).inc(request.samples)
        self._metrics.bytes.labels(self._remote).inc(len(request.body))
        self._highest = max(self._highest, request.newest)
        self._metrics.highest_sent.labels(self._remote).set(self._highest / 1000)

    def _failed(self, request: Request, outcome: Failed, attempt: int) -> Duration:
        if not self._failing:
            self._failing = True
            log.warning("remote write fails", remote=self._remote, reason=outcome.reason)
        self._metrics.retried.labels(self._remote).inc(request.samples)
        queue = self._queue
        wait = backoff(
            attempt + 1, first=queue.min_backoff, longest=queue.max_backoff, chance=self._chance
        )
        return min(max(wait, outcome.wait or 0), _LONGEST_WAIT)
