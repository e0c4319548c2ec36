"""What must hold for a check-in to say that all is well: that somebody would be told."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from controlplane.api.surface import Check
from controlplane.clock import Clock, Duration, Timestamp
from controlplane.model.duration import MINUTE, format_duration
from controlplane.notify.channels import Channels
from controlplane.notify.health import Deliveries, Fare, ReceiverHealth
from controlplane.notify.ports import NotificationStore
from controlplane.notify.worker import Worker
from controlplane.rules.status import GroupStatus

# So long a group may be late beyond its interval, and twice more its interval.
_LATE: Final[Duration] = MINUTE
# So long a message that is due may lie there before the outbox counts as stuck.
_STUCK: Final[Duration] = 2 * MINUTE


class Evaluating:
    """Holds while every group of rules is evaluated on time."""

    def __init__(self, groups: Callable[[], Sequence[GroupStatus]], clock: Clock) -> None:
        self._groups = groups
        self._clock = clock
        # When each group was first seen here: one that is new has time for its first evaluation.
        self._since: dict[tuple[str, str], Timestamp] = {}

    async def __call__(self) -> str:
        """Return which groups are late, or nothing."""
        now, groups = self._clock.now(), self._groups()
        known = {(group.file, group.name) for group in groups}
        self._since = {key: self._since.get(key, now) for key in known}
        late = [group.name for group in groups if self._is_late(group, now)]
        return f"not evaluated on time: {', '.join(late[:10])}" if late else ""

    def _is_late(self, group: GroupStatus, now: Timestamp) -> bool:
        last = max(group.last_evaluation, self._since[group.file, group.name])
        return now - last > max(3 * group.interval, group.interval + _LATE)


class Sending:
    """Holds while messages leave the outbox, or wait there for a reason that is known."""

    def __init__(
        self, store: NotificationStore, deliveries: Deliveries, worker: Worker, clock: Clock
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._worker = worker
        self._clock = clock

    async def __call__(self) -> str:
        """Return what is stuck, or nothing. Raises Unavailable."""
        behind = round(self._worker.behind() * 1000)
        if behind > _STUCK:
            return f"the outbox has not been looked at for {format_duration(behind)}"
        before = self._clock.now() - _STUCK
        stuck = [
            "/".join(channel)
            for channel in await self._store.channels_due(before)
            if not self._worker.held(channel) and not await self._tried_since(channel, before)
        ]
        return f"messages are not sent: {', '.join(stuck[:10])}" if stuck else ""

    async def _tried_since(self, channel: tuple[str, str], before: Timestamp) -> bool:
        return any(each.at > before for each in await self._deliveries.attempts(channel, 1))


class Reaching:
    """Holds unless every integration there is refused what it was sent last."""

    def __init__(self, health: ReceiverHealth, channels: Channels) -> None:
        self._health = health
        self._channels = channels

    async def __call__(self) -> str:
        """Return that nobody can be told, or nothing. Raises Unavailable."""
        receivers = sorted({channel[0] for channel, _ in self._channels.all()})
        found = [
            health for several in (await self._health.of(receivers)).values() for health in several
        ]
        failing = bool(found) and all(health.fare is Fare.FAILING for health in found)
        return "the last message to each integration failed" if failing else ""


def conditions(
    checks: Mapping[str, Check], evaluating: Evaluating, sending: Sending, reaching: Reaching
) -> Mapping[str, Check]:
    """Return all conditions by the name of what they look at: those of `/ready`, and more."""
    return {**checks, "rules": evaluating, "outbox": sending, "receivers": reaching}
