"""Attempts at one request: what each came to is counted, told, and followed by a wait."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
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


class Answer(Enum):
    """What a receiver said for good."""

    TAKEN = "taken, or some of it"
    REFUSED = "given up as a whole"
    LATE = "refused, as some samples come too late; the others may be taken without them"


@dataclass(slots=True)
class _Tally:
    """Samples that were not yet told of, and when some were."""

    told: float
    samples: int = 0


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
        self._tallies: dict[str, _Tally] = {}

    async def attempt(
        self, request: Request, attempt: int, *, repeated: bool = False, divisible: bool = False
    ) -> Duration | Answer:
        """Post a request, `attempt` counting from 0.

        Return the milliseconds to wait before the next attempt, or what the
        receiver said for good: `LATE`, which counts as nothing yet, only of a
        `divisible` one. One that may have arrived before a crash is `repeated`:
        its refusal is no loss.
        """
        began = self._clock.monotonic()
        outcome = await self._poster.post(request.body, self._message.headers, attempt)
        self._metrics.seconds.labels(self._remote).observe(self._clock.monotonic() - began)
        if isinstance(outcome, Failed):
            return self._failed(request, outcome, attempt)
        if self._failing:
            self._failing = False
            log.info("remote write works again", remote=self._remote)
        taken = self._taken(request, outcome)
        late = isinstance(outcome, Refused) and outcome.late
        if late and divisible and not taken:
            return Answer.LATE
        self._settled(request, outcome, taken, repeated=repeated)
        return Answer.TAKEN if taken else Answer.REFUSED

    def lost(self, event: str, samples: int, reason: str) -> None:
        """Tell that samples will not arrive; often enough, but not each time."""
        self._tell(log.warning, event, samples, reason)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _taken(self, request: Request, outcome: Outcome) -> int:
        """Return how many samples of a request the receiver has taken."""
        if not isinstance(self._message, Version2):
            return request.samples if isinstance(outcome, Accepted) else 0
        written = None if isinstance(outcome, Failed) else outcome.written
        # A receiver of version 1 finds nothing in a body of version 2, and is content.
        if isinstance(outcome, Accepted) and written:
            return request.samples
        # One of version 2 writes what it can of a request that it refuses.
        return min(written or 0, request.samples)

    def _settled(self, request: Request, outcome: Outcome, taken: int, *, repeated: bool) -> None:
        metrics, remote = self._metrics, self._remote
        metrics.sent.labels(remote).inc(taken)
        if isinstance(outcome, Accepted) and taken:
            metrics.bytes.labels(remote).inc(len(request.body))
            self._highest = max(self._highest, request.newest)
            metrics.highest_sent.labels(remote).set(self._highest / 1000)
        rest = request.samples - taken
        reason = outcome.reason if isinstance(outcome, Refused) else _NONE_WRITTEN
        if repeated and isinstance(outcome, Refused):
            metrics.dropped.labels(remote, "repeated").inc(rest)
            self._tell(log.info, "remote write had arrived", rest, reason)
        else:
            metrics.failed.labels(remote).inc(rest)
            self.lost("remote write refused", rest, reason)

    def _tell(self, tell: Callable[..., None], event: str, samples: int, reason: str) -> None:
        now = self._clock.monotonic()
        tally = self._tallies.setdefault(event, _Tally(now - _TELL_SECONDS))
        tally.samples += samples
        if samples and now - tally.told >= _TELL_SECONDS:
            tell(event, remote=self._remote, samples=tally.samples, reason=reason)
            self._tallies[event] = _Tally(now)

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
