"""The evidence of each target's last failures: added at once, written in batches."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from controlplane.clock import Clock, Timestamp
from controlplane.errors import Unavailable
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.ports import Failure, FailureRepository
from controlplane.telemetry.logs import get_logger
from controlplane.telemetry.outages import Outage

log = get_logger(__name__)

_FLUSH_SECONDS: Final = 1.0
_MOST_WAITING: Final = 10_000
_BATCH: Final = 1_000
_LONGEST_TEXT: Final = 8_192
_DEEPEST: Final = 6


class FailureLog:
    """Keeps the last `keep` failures of each target. `add` never waits.

    What is not yet written is bounded, the oldest dropped and counted first,
    and is lost when the process is killed: it is evidence, not state.
    """

    def __init__(
        self, repository: FailureRepository, *, clock: Clock, keep: int, metrics: TargetMetrics
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._keep = keep
        self._metrics = metrics
        self._waiting: deque[Failure] = deque()
        self._outage = Outage(log, clock.monotonic)

    def configure(self, keep: int) -> None:
        """Keep another number of failures of each target from now on."""
        self._keep = keep

    def add(self, target_id: str, at: Timestamp, reason: str, evidence: Mapping[str, Any]) -> None:
        """Take one failure. Evidence is cut to what JSON can say, long texts shortened."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self._metrics.failures_dropped.inc()
        self._waiting.append(Failure(target_id, at, reason, _plain(evidence, _DEEPEST)))

    async def list(self, target_id: str) -> Sequence[Failure]:
        """Return a target's last failures, the newest first. Raises Unavailable."""
        stored = await self._repository.list(target_id, self._keep)
        # A batch in flight is in both for a moment.
        waiting = [f for f in reversed(self._waiting) if f.target_id == target_id]
        fresh = [failure for failure in waiting if failure not in stored]
        return [*fresh, *stored][: self._keep]

    async def flush(self) -> None:
        """Write all that waits. Raises Unavailable; what was not written waits on."""
        while self._waiting:
            batch = [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
            await self._repository.add(batch, self._keep)
            written = set(map(id, batch))
            # Some of the batch may have been dropped from the front meanwhile.
            while self._waiting and id(self._waiting[0]) in written:
                self._waiting.popleft()

    async def run(self) -> None:
        """Write once a second, until cancelled."""
        while True:
            try:
                if self._waiting:
                    await self.flush()
                    self._outage.works("evidence of failures is written again")
            except Unavailable as error:
                self._outage.fails("evidence of failures waits", reason=str(error))
            await self._clock.sleep(_FLUSH_SECONDS)

    async def drain(self) -> None:
        """Write what waits; what the database does not take is given up."""
        try:
            await self.flush()
        except Unavailable as error:
            self._metrics.failures_dropped.inc(len(self._waiting))
            log.warning("evidence of failures was lost", reason=str(error))


def _plain(value: Any, depth: int) -> Any:
    """Return what both engines' JSON can hold of a value."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if depth > 0 and isinstance(value, Mapping):
        return {_text(str(key)): _plain(item, depth - 1) for key, item in value.items()}
    if depth > 0 and isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    short = value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    return short.encode(errors="replace").decode()
