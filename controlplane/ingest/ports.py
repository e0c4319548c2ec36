"""What receiving needs of others: a store that says when samples are safe."""

from typing import Protocol

from controlplane.tsdb.ports import Appender, Querier


class SampleStore(Appender, Protocol):
    """An appender that can be waited for."""

    def flush(self, seconds: float) -> bool:
        """Wait until all that was appended is kept and visible; False when time is up."""
        ...

    def querier(self) -> Querier:
        """Return a snapshot of what is there."""
        ...
