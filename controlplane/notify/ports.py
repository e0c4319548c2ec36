"""What notifying needs of others: groups, muters, a store, integrations."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from socket import socket
from typing import Protocol, runtime_checkable

from controlplane.clock import Duration, Timestamp
from controlplane.model.alert import Alert
from controlplane.model.fence import OPEN, Fence
from controlplane.model.labels import Labels
from controlplane.model.secret import Secret
from controlplane.notify.check_in import CheckInStatus
from controlplane.notify.incident import Incident
from controlplane.notify.message import (
    Attempt,
    Claim,
    Delivery,
    Message,
    MessageState,
    Notification,
    Seat,
)
from controlplane.notify.silenced import Quiet

# (receiver, group key) of every aggregation group that holds alerts now.
OwnedGroups = Callable[[], Collection[tuple[str, str]]]

# The alert with a fingerprint as it is kept now, or None.
FindAlert = Callable[[str], Alert | None]

# Returns once everything that was written before is known here, or cannot be soon.
Fresh = Callable[[], Awaitable[None]]


async def always_fresh() -> None:
    """Return at once: there is nobody else who writes."""


class GroupFlush(Protocol):
    """An aggregation group at the moment it is due."""

    @property
    def group_key(self) -> str: ...
    @property
    def group_labels(self) -> Labels: ...
    @property
    def receiver(self) -> str: ...
    @property
    def repeat_interval(self) -> Duration: ...
    @property
    def alerts(self) -> tuple[Alert, ...]: ...
    @property
    def at(self) -> Timestamp: ...
    @property
    def mute_time_intervals(self) -> tuple[str, ...]: ...
    @property
    def active_time_intervals(self) -> tuple[str, ...]: ...
    @property
    def route_labels(self) -> Labels: ...
    @property
    def fence(self) -> Fence:
        """What must still hold when that which comes of it is written."""
        ...


class Muter(Protocol):
    """Says which alerts of a group are not to be told of, and why."""

    @property
    def kind(self) -> str:
        """What mutes: `silence`, `inhibition`, `time_interval`."""
        ...

    def muted_by(self, labels: Labels, flush: GroupFlush, /) -> tuple[str, ...]:
        """Return the names of what mutes an alert with these labels, none when it is told."""
        ...


class Integration(Protocol):
    """Sends to one service. `name` is its kind and place, such as `slack/0`."""

    @property
    def name(self) -> str: ...
    @property
    def send_resolved(self) -> bool: ...
    @property
    def timeout(self) -> Duration:
        """The limit of one attempt that the configuration names, or 0."""
        ...

    async def send(self, notification: Notification) -> Delivery:
        """Deliver, or raise DeliveryError. The caller sets the time limit."""
        ...

    async def close(self) -> None:
        """Give up connections."""
        ...


@runtime_checkable
class ShowsSilences(Protocol):
    """An integration that shows who has silenced or acknowledged what its messages tell of."""

    def is_news(self, quiet: Quiet, external: Mapping[str, str]) -> bool:
        """Tell whether this differs from what is shown; `external` is what it kept last."""
        ...


@runtime_checkable
class Interactive(Protocol):
    """An integration whose messages may have buttons."""

    @property
    def signing_secret(self) -> Secret | None:
        """What the service signs clicks with; None where there are no buttons."""
        ...


class Dial(Protocol):
    """Connects within the outbound policy. Raises Unavailable, Forbidden."""

    def __call__(self, host: str, port: int, *, timeout: float) -> Awaitable[socket]: ...


class Watch(Protocol):
    """What a library did with its own sockets: whether it sent, and what it was denied."""

    @property
    def sent(self) -> bool: ...
    @property
    def denied(self) -> str: ...


# Gives a block in which the outbound policy holds for the sockets of its thread.
Guard = Callable[[], AbstractContextManager[Watch]]


class Sender(Protocol):
    """Begins attempts: what the worker offers to those who queue a message."""

    def seat(self, channel: tuple[str, str]) -> Seat | None:
        """Return leave for one attempt at a channel, or None while it has to wait.

        A seat is held until `begin` or `leave`.
        """
        ...

    def begin(self, claim: Claim) -> None:
        """Attempt a message that was claimed with a seat, its transaction being committed."""
        ...

    def leave(self, channel: tuple[str, str]) -> None:
        """Give back a seat that is not needed."""
        ...


class NotificationTransaction(Protocol):
    """Reads and writes of one transaction; rows read are locked until its end."""

    async def incidents_for(self, flushes: Sequence[GroupFlush]) -> Sequence[Incident]:
        """Return open incidents of the flushes' receivers with their group keys or labels."""
        ...

    async def incident(self, incident_id: str) -> Incident | None: ...

    async def put_incident(self, incident: Incident) -> None:
        """Insert the incident, or replace the row with its id."""
        ...

    async def unfinished(self, incident_id: str) -> Sequence[Message]:
        """Return the queued and sending messages of an incident, oldest first."""
        ...

    async def dead(self, incident_id: str) -> Sequence[Message]: ...

    async def message(self, message_id: int) -> Message | None: ...

    async def last_message(self, incident_id: str) -> Message | None:
        """Return the newest message of an incident, in whatever state."""
        ...

    async def add_message(self, message: Message) -> int:
        """Store a new message and return its id."""
        ...

    async def update_message(self, message: Message) -> None:
        """Store what changes in a message's life: all but its content."""
        ...

    async def add_attempt(self, attempt: Attempt) -> None: ...

    async def claim(self, before: Message, after: Message) -> bool:
        """Store `after` if the row still stands as `before`; tell whether it did."""
        ...

    async def claimable(
        self, channel: tuple[str, str], now: Timestamp, limit: int
    ) -> Sequence[tuple[Message, Incident]]:
        """Return messages to be attempted now with their incidents, oldest first, one an incident.

        Queued ones that are due, and those whose lease ran out; never one
        behind an unfinished older one of the same incident. An incident that
        another transaction has locked is left out, and not waited for.
        """
        ...

    async def unended(self, fingerprints: Collection[str]) -> frozenset[str]:
        """Return which of these alerts are written down as such that nobody has ended."""
        ...


class NotificationStore(Protocol):
    """The outbox, the notification log and the open incidents, in one database."""

    def begin(self, fence: Fence = OPEN) -> AbstractAsyncContextManager[NotificationTransaction]:
        """Open a transaction; it commits when the block ends well.

        Until then nobody takes over what `fence` names. Raises Fenced when
        somebody has before, Unavailable.
        """
        ...

    async def open_incidents(self) -> Sequence[Incident]: ...

    async def channels_due(self, now: Timestamp) -> Sequence[tuple[str, str]]:
        """Return (receiver, integration) of all messages that could be claimed now."""
        ...

    async def next_attempt(self, now: Timestamp) -> Timestamp | None:
        """Return when the next message after `now` is due, or a lease runs out."""
        ...

    async def release(self, owner: str) -> int:
        """Free the leases of an owner's earlier runs; return how many.

        Owners are `name` or `name/run`; those of other names keep theirs.
        """
        ...

    async def depth(self) -> Mapping[MessageState, int]:
        """Return how many messages are queued, sending and dead."""
        ...

    async def list_messages(
        self, state: MessageState, *, before: int | None, limit: int
    ) -> Sequence[Message]:
        """Return messages of a state, newest first, with ids below `before`."""
        ...

    async def about(self, fingerprint: str, limit: int) -> Sequence[Message]:
        """Return the newest messages that told of an alert, newest first."""
        ...

    async def attempts(self, message_ids: Collection[int]) -> Sequence[Attempt]:
        """Return the attempts of some messages, in their order."""
        ...


class CheckInStore(Protocol):
    """Keeps the last turn of each check-in. Each call has its own time-out. Raises Unavailable."""

    async def load(self) -> Sequence[CheckInStatus]:
        """Return all, by name."""
        ...

    async def save(self, status: CheckInStatus, fence: Fence) -> None:
        """Keep one in the place of what has its name.

        Raises Fenced when the check-in has become another replica's since.
        """
        ...
