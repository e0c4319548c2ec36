"""The decision ledger: why somebody was told of an alert, or was not."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from controlplane.alerts.decision import ASPECTS, Aspect, Decision, Kind
from controlplane.alerts.metrics import LedgerMetrics
from controlplane.alerts.ports import LedgerRepository
from controlplane.clock import Clock, Timestamp, sleep_unless
from controlplane.errors import ControlPlaneError
from controlplane.model.alert import Alert, AlertStatus
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Decisions written in one transaction.
_BATCH: Final = 500
# Seconds between two writes: what is decided meanwhile goes together.
_PAUSE: Final = 0.25
_RETRY: Final = 2.0
_NONE: Final[Mapping[tuple[Aspect, str], Decision]] = {}


@dataclass(frozen=True, slots=True)
class LedgerOptions:
    """What bounds the ledger in memory."""

    waiting: int = 100_000  # entries not yet written; those above it are lost, and counted
    remembered: int = 200_000  # alerts whose last decisions are known, to tell repeats


class Ledger:
    """Takes decisions from everybody, keeps those that change something.

    `record`, `decide` and `heard` only remember; `run` writes. Nobody waits for
    the ledger: when the database is away, or it falls behind, alerts go on.
    """

    def __init__(
        self,
        repository: LedgerRepository,
        clock: Clock,
        metrics: LedgerMetrics,
        options: LedgerOptions | None = None,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._metrics = metrics
        self._options = options or LedgerOptions()
        self._last: dict[str, dict[tuple[Aspect, str], Decision]] = {}
        self._waiting: deque[tuple[Decision, Alert | None]] = deque()
        self._woken = asyncio.Event()
        self._writing = asyncio.Lock()
        self._subscribers: list[Callable[[Sequence[Decision]], None]] = []
        metrics.observe(lambda: len(self._waiting))

    def subscribe(self, written: Callable[[Sequence[Decision]], None]) -> None:
        """Have `written` called with decisions once they are kept; it must not block."""
        self._subscribers.append(written)

    async def load(self, alerts: Iterable[Alert]) -> None:
        """Learn what was decided last on the alerts that are kept. Raises Unavailable."""
        for decision in await self._repository.latest([alert.fingerprint for alert in alerts]):
            self._remember(decision)

    def record(self, decisions: Iterable[Decision]) -> None:
        """Keep decisions, except those that repeat the last one of their aspect and place."""
        for decision in decisions:
            if not self._known(
                decision.fingerprint, decision.kind, decision.place, decision.detail
            ):
                self._record(decision, None)

    def decide(
        self,
        kind: Kind,
        alerts: Iterable[Alert],
        at: Timestamp,
        *,
        place: str = "",
        detail: Mapping[str, object],
    ) -> None:
        """Keep one decision on many alerts; what repeats costs a look each."""
        for alert in alerts:
            name = alert.fingerprint
            if not self._known(name, kind, place, detail):
                self._record(Decision(name, at, kind, place, detail, alert.correlation_id), None)

    def heard(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Keep that alerts began or ended. A subscriber of the alerts that this replica wrote."""
        for decision, alert in self._new(alerts, now):
            self._record(decision, alert)

    def learned(self, alerts: Sequence[Alert], now: Timestamp) -> None:
        """Know that alerts began or ended; the replica that wrote them keeps it."""
        for decision, _ in self._new(alerts, now):
            self._remember(decision)

    async def story(self, fingerprint: str, limit: int) -> Sequence[Decision]:
        """Return the newest decisions on an alert, oldest first. Raises Unavailable."""
        async with self._writing:
            waiting = [each for each, _ in self._waiting if each.fingerprint == fingerprint]
            return [*await self._repository.story(fingerprint, limit), *waiting][-limit:]

    async def alert(self, fingerprint: str) -> Alert | None:
        """Return an alert, also a past one, as it was last heard of. Raises Unavailable."""
        async with self._writing:
            for _, alert in reversed(self._waiting):
                if alert is not None and alert.fingerprint == fingerprint:
                    return alert
            return await self._repository.alert(fingerprint)

    async def resolved(self, *, after: str, limit: int) -> Sequence[Alert]:
        """Return alerts that have ended, by fingerprints above `after`. Raises Unavailable."""
        return await self._repository.resolved(after=after, limit=limit)

    async def recent(self, limit: int) -> Sequence[Alert]:
        """Return alerts that have ended, those that ended last first. Raises Unavailable."""
        return await self._repository.recent(limit)

    async def flush(self) -> int:
        """Write what waits, a batch; return how many. Raises Unavailable: then all of it waits."""
        async with self._writing:
            batch = list(islice(self._waiting, _BATCH))
            if not batch:
                return 0
            decisions = [decision for decision, _ in batch]
            alerts = {alert.fingerprint: alert for _, alert in batch if alert is not None}
            await self._repository.add(decisions, list(alerts.values()))
            for _ in batch:
                self._waiting.popleft()
        self._metrics.written.inc(len(batch))
        for written in self._subscribers:
            written(decisions)
        return len(batch)

    async def run(self) -> None:
        """Write decisions as they come, until cancelled."""
        while True:
            await sleep_unless(self._clock, self._woken, 60.0)
            self._woken.clear()
            try:
                while await self.flush():
                    await self._clock.sleep(_PAUSE)
            except ControlPlaneError as error:
                log.warning("decisions could not be kept", error=str(error))
                await self._clock.sleep(_RETRY)
                self._woken.set()

    async def drain(self) -> None:
        """Write what waits, before the end."""
        try:
            while await self.flush():
                pass
        except ControlPlaneError as error:
            log.warning("decisions could not be kept", error=str(error), lost=len(self._waiting))

    def _new(self, alerts: Sequence[Alert], now: Timestamp) -> Iterator[tuple[Decision, Alert]]:
        """Yield that alerts began or ended, of each that was not known to have."""
        for alert in alerts:
            ended = alert.status(now) is AlertStatus.RESOLVED
            kind = Kind.RESOLVED if ended else Kind.RECEIVED
            detail: dict[str, object] = {"starts_at": alert.starts_at}
            if ended and alert.timeout:
                detail["timeout"] = True
            if self._known(alert.fingerprint, kind, "", detail):
                continue
            at = alert.ends_at if ended else now
            yield Decision(alert.fingerprint, at, kind, "", detail, alert.correlation_id), alert

    def _record(self, decision: Decision, alert: Alert | None) -> None:
        self._remember(decision)
        if decision.kind is Kind.QUEUED:
            return  # its row in the outbox tells it
        if len(self._waiting) >= self._options.waiting:
            self._metrics.lost.inc()
            return
        self._waiting.append((decision, alert))
        self._woken.set()

    def _known(
        self, fingerprint: str, kind: Kind, place: str, detail: Mapping[str, object]
    ) -> bool:
        """Tell whether the last decision of this aspect and place said the same."""
        last = self._last.get(fingerprint, _NONE).get((ASPECTS[kind], place))
        return last is not None and last.says(kind, detail)

    def _remember(self, decision: Decision) -> None:
        """Note a decision; a new beginning makes everything else about the alert new."""
        known = self._last.pop(decision.fingerprint, {})
        if decision.kind is Kind.RECEIVED:
            known = {}
        about = (decision.aspect, decision.place)
        if decision.kind is Kind.QUEUED and about in known:
            # A message makes what mutes news again; that nothing is new after it is no news.
            if known[about].kind is not Kind.DEDUPLICATED:
                known[about] = decision
        else:
            known[about] = decision
        self._last[decision.fingerprint] = known
        if len(self._last) > self._options.remembered:
            del self._last[next(iter(self._last))]
