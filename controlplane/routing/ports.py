"""What routing needs of others, and what it hands on."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from controlplane.clock import Duration, Timestamp
from controlplane.model.alert import Alert, AlertStatus
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import EMPTY, Labels


@dataclass(frozen=True, slots=True)
class Flush:
    """One aggregation group at the moment it is due.

    `alerts` are ordered by job, instance, labels; whether each is firing is
    judged at `at`, so that none resolves while the flush travels. The values of
    `route_labels` are templates. What comes of it is written only while `fence` holds.
    """

    group_key: str
    group_labels: Labels
    route_id: str
    receiver: str
    repeat_interval: Duration
    alerts: tuple[Alert, ...]
    at: Timestamp
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    route_labels: Labels = EMPTY
    fence: Fence = OPEN

    def resolved(self) -> tuple[Alert, ...]:
        """Return the alerts that had ended at `at`."""
        return tuple(a for a in self.alerts if a.status(self.at) is AlertStatus.RESOLVED)


@dataclass(frozen=True, slots=True)
class Grouped:
    """An alert began to belong to a group: of which receiver, and by which matchers.

    `route` is how the matchers lead down the tree, as in the group key.
    """

    alert: Alert
    receiver: str
    group_key: str
    route: str
    group_wait: Duration
    at: Timestamp


# Is told why alerts go where they go. Must not block.
Record = Callable[[Grouped], None]

# Takes the flushes of one moment together. When it returns, all of them are
# safe; when it raises, none is, and they come again.
Stage = Callable[[Sequence[Flush]], Awaitable[None]]

# Returns all alerts that are kept, with those that have ended and not been told.
AlertSource = Callable[[], Iterable[Alert]]

# Tells whether an alert is kept yet, where all alerts are.
Kept = Callable[[Alert], bool]

# Returns once everything that was written before is known here, or cannot be soon.
Fresh = Callable[[], Awaitable[None]]


async def always_fresh() -> None:
    """Return at once: there is nobody else who writes."""
