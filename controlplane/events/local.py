"""The bus of one process."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace

from controlplane.clock import Clock
from controlplane.events.event import Event, Kind
from controlplane.events.metrics import BusMetrics
from controlplane.events.ring import KEPT, Ring
from controlplane.events.versions import Versions


class LocalBus:
    """The Bus of a single replica."""

    def __init__(self, clock: Clock, metrics: BusMetrics, kept: int = KEPT) -> None:
        self._metrics = metrics
        # A restart begins another run of numbers: what was seen before it is not known here.
        self._run = f"{clock.now():x}"
        self._last = 0
        self._versions = Versions()
        self._ring = Ring(clock, metrics, kept)
        self._ring.begin(f"{self._run}-0")

    @property
    def position(self) -> str:
        return self._ring.position

    def publish(self, event: Event) -> None:
        self._last += 1
        self._ring.append(replace(event, id=f"{self._run}-{self._last}"))
        self._versions.note(event.kind)
        self._metrics.published.labels(event.kind.value).inc()

    def recent(self) -> Sequence[Event]:
        return self._ring.recent()

    def version(self, kinds: Collection[Kind]) -> int:
        return self._versions.of(kinds)

    def listen(self, after: str = "") -> AsyncIterator[Sequence[Event]]:
        return self._ring.listen(after)

    def close(self) -> None:
        self._ring.close()
