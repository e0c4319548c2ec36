"""The port of the event bus."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from controlplane.events.event import Event, Kind


class Bus(Protocol):
    """Publish and subscribe with a bounded replay. Belongs to one event loop."""

    def publish(self, event: Event) -> None:
        """Tell an event to all who listen. Does not block, does not fail."""
        ...

    @property
    def position(self) -> str:
        """The id of the newest event: what is read now and resumed after it misses nothing."""
        ...

    def recent(self) -> Sequence[Event]:
        """Return the events that are still kept, the newest first."""
        ...

    def version(self, kinds: Collection[Kind]) -> int:
        """Return a number that grows with each event of these kinds that is known here.

        One that is published here is known at once; so is what RESET stands for.
        """
        ...

    def listen(self, after: str = "") -> AsyncIterator[Sequence[Event]]:
        """Yield what happens, several events at a time, from the one after `after` on.

        Without `after` from now on. Where events are no longer kept, or `after`
        is unknown, a RESET comes first. Ends when the bus is closed.
        """
        ...

    def close(self) -> None:
        """End all listening."""
        ...
