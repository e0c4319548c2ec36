"""How often something of a kind happened: what was made before that is out of date."""

from collections import Counter
from collections.abc import Collection

from controlplane.events.event import Kind


class Versions:
    """Counts events by kind; a RESET is one of every kind."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()

    def note(self, kind: Kind) -> None:
        """Count an event."""
        self._counts[kind] += 1

    def of(self, kinds: Collection[Kind]) -> int:
        """Return how many events of these kinds there were."""
        return sum(self._counts[kind] for kind in {*kinds, Kind.RESET})
