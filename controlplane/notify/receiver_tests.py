"""Tries a receiver: a made-up alert through its own integrations, and its end right after.

It goes by the outbox, with an incident of its own: when the process dies
between the two, the sweeper ends what was begun.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from controlplane.clock import Clock, Duration, Timestamp
from controlplane.errors import Throttled
from controlplane.model.alert import TEST_LABEL, Alert
from controlplane.model.duration import MINUTE, SECOND
from controlplane.model.labels import Labels
from controlplane.notify.attempting import Result, attempt, written
from controlplane.notify.channels import Channel, Channels
from controlplane.notify.delivery import claimed, fail, succeed
from controlplane.notify.errors import DeliveryError
from controlplane.notify.incident import Incident, Reason, Told
from controlplane.notify.message import (
    Attempt,
    Claim,
    Content,
    Delivery,
    MessageState,
    Outcome,
    Seat,
)
from controlplane.notify.options import DeliveryOptions
from controlplane.notify.outbox import enqueue, resolve
from controlplane.notify.ports import Integration, NotificationStore
from controlplane.notify.rate import Rate
from controlplane.notify.trying_metrics import TryingMetrics
from controlplane.telemetry.correlation import correlation_id
from controlplane.telemetry.logs import get_logger

log = get_logger(__name__)

# Somebody waits for the answer: no attempt takes longer than this.
_LONGEST: Final[Duration] = 10 * SECOND
# A receiver is tested three times at once, and then each ten seconds.
_PER_SECOND: Final = 0.1
_BURST: Final = 3
_NAME: Final = "ReceiverTest"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one integration's test.

    `ended` is the attempt to tell the end. It is None when there was nothing to
    end, and when it is still to be made (`end_waits`): then the outbox sees to it.
    """

    integration: str
    fired: Attempt
    ended: Attempt | None = None
    end_waits: bool = False

    @property
    def delivered(self) -> bool:
        return self.fired.outcome is Outcome.DELIVERED


class ReceiverTests:
    """Tests receivers, each one only so often.

    Messages are claimed as `owner`; `wake` has those sent that are left to the worker.
    """

    def __init__(
        self,
        store: NotificationStore,
        channels: Channels,
        clock: Clock,
        *,
        owner: str,
        options: Callable[[], DeliveryOptions],
        wake: Callable[[], None],
        metrics: TryingMetrics,
    ) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._owner = owner
        self._options = options
        self._wake = wake
        self._metrics = metrics
        self._rates: dict[str, Rate] = {}
        self._under_way: set[tuple[str, str]] = set()

    def owned(self) -> Collection[tuple[str, str]]:
        """Return (receiver, group key) of the tests under way: nobody else ends these."""
        return self._under_way

    async def test(self, receiver: str) -> Sequence[Trial]:
        """Try each integration of a receiver. Raises Throttled, Unavailable."""
        self._take_turn(receiver)
        found = self._channels.of(receiver)
        trials = await asyncio.gather(*(self._try(*each) for each in found))
        self._wake()
        log.info(
            "receiver tested",
            receiver=receiver,
            delivered=[trial.integration for trial in trials if trial.delivered],
            failed=[trial.integration for trial in trials if not trial.delivered],
        )
        return trials

    def _take_turn(self, receiver: str) -> None:
        rate = self._rates.setdefault(receiver, Rate(_PER_SECOND, _BURST))
        now = self._clock.monotonic()
        if not rate.room(now, 1):
            wait = max(1.0, rate.until(now) - now)
            raise Throttled(f"{receiver!r} was tested just now", retry_after=wait)
        rate.take(1)

    async def _try(self, channel: Channel, integration: Integration) -> Trial:
        key = f"{_NAME}/{channel[0]}/{uuid4().hex}"
        self._under_way.add((channel[0], key))
        try:
            return await self._fire(channel, integration, key)
        finally:
            self._under_way.remove((channel[0], key))

    async def _fire(self, channel: Channel, integration: Integration, key: str) -> Trial:
        """Tell that an alert fires, then that it has ended."""
        claim = await self._begin(channel, key)
        result, fired = await self._attempt(integration, claim)
        self._metrics.tests.labels(*channel, fired.outcome.value).inc()
        if isinstance(result, Delivery):
            await succeed(self._store, claim.message, result, fired, self._clock.now())
            return await self._end(integration, claim, fired)
        # The end is queued first: it goes with a beginning that was clearly refused.
        await self._queue_end(claim, None)
        await self._failed(claim, result, fired)
        waits = fired.outcome is not Outcome.REFUSED
        return Trial(integration.name, fired, end_waits=waits)

    async def _begin(self, channel: Channel, key: str) -> Claim:
        """Write down the beginning, claimed by us."""
        now = self._clock.now()
        receiver, name = channel
        alert = _alert(receiver, now)
        group = alert.labels.keep(frozenset({"alertname", "receiver", TEST_LABEL}))
        incident = Incident(
            id=uuid4().hex,
            receiver=receiver,
            integration=name,
            group_key=key,
            group_labels=group,
            key=key,
            opened_at=now,
            retry_at=now + self._options().lease,  # until then no replica takes it for forgotten
        )
        content = Content(key, group, Reason.FIRST, (alert,), now)
        told = Told(firing=frozenset({alert.fingerprint}))
        async with self._store.begin() as tx:
            await tx.put_incident(incident)
            message = await enqueue(
                tx,
                incident,
                told,
                content,
                max_age=self._options().max_age,
                now=now,
                seat=self._seat(now),
            )
        return claimed(message, incident)

    async def _end(self, integration: Integration, begun: Claim, fired: Attempt) -> Trial:
        """Tell the end of what was told to begin."""
        claim = await self._queue_end(begun, self._seat(self._clock.now()))
        if claim is None:
            return Trial(integration.name, fired, end_waits=True)
        result, ended = await self._attempt(integration, claim)
        if isinstance(result, Delivery):
            await succeed(self._store, claim.message, result, ended, self._clock.now())
            return Trial(integration.name, fired, ended)
        state = await self._failed(claim, result, ended)
        return Trial(integration.name, fired, ended, end_waits=state is MessageState.QUEUED)

    async def _queue_end(self, begun: Claim, seat: Seat | None) -> Claim | None:
        """Write down the end; return it when it is ours to tell now.

        It is told also to those who do not hear of ends: what a test opens, it closes.
        """
        now = self._clock.now()
        ended = tuple(
            replace(alert, ends_at=now, updated_at=now) for alert in begun.message.content.alerts
        )
        content = replace(begun.message.content, reason=Reason.ALL_RESOLVED, alerts=ended, at=now)
        async with self._store.begin() as tx:
            incident = await tx.incident(begun.message.incident_id)
            if incident is None or incident.closed_at is not None:
                return None
            message = await resolve(
                tx,
                incident,
                content,
                send_resolved=True,
                max_age=self._options().max_age,
                now=now,
                seat=seat,
            )
        ours = message is not None and message.state is MessageState.SENDING
        return claimed(message, incident) if message is not None and ours else None

    async def _attempt(self, integration: Integration, claim: Claim) -> tuple[Result, Attempt]:
        options = self._options()
        at, begin = self._clock.now(), self._clock.monotonic()
        async with self._channels.use(claim.message.channel) as current:
            result = await attempt(
                current or integration,
                claim.notification,
                limit=min(integration.timeout or options.timeout, _LONGEST),
                lease=options.lease,
            )
        return result, written(claim.message, result, at, self._clock.monotonic() - begin)

    async def _failed(self, claim: Claim, error: DeliveryError, tried: Attempt) -> MessageState:
        options = self._options()
        return await fail(
            self._store,
            claim.message,
            error,
            tried,
            retry_in=options.first_backoff,
            options=options,
            now=self._clock.now(),
        )

    def _seat(self, now: Timestamp) -> Seat:
        return Seat(self._owner, now + self._options().lease)


def _alert(receiver: str, now: Timestamp) -> Alert:
    return Alert(
        labels=Labels(
            {
                "alertname": _NAME,
                "receiver": receiver,
                "severity": "info",
                TEST_LABEL: "true",
            }
        ),
        annotations=Labels(
            {
                "summary": f"Test of the receiver {receiver}: nothing is broken",
                "description": "Somebody wants to know whether this arrives. "
                "Its end follows at once; there is nothing to do.",
            }
        ),
        starts_at=now,
        ends_at=now + MINUTE,
        updated_at=now,
        correlation_id=correlation_id(),
    )
