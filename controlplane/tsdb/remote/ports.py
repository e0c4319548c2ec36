"""What sending needs of the rest of the program."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from controlplane.tsdb.ports import CommitListener


class Family(NamedTuple):
    """Type, help and unit of a metric family; the type in OpenMetrics' words."""

    type: str
    help: str
    unit: str


# Returns what is known of metric families now, by name.
Families = Callable[[], Mapping[str, Family]]


class Logged(Protocol):
    """A store with a log that may be read behind its writer."""

    @property
    def log_directory(self) -> Path | None:
        """Where the segments are; None for a store without a log."""
        ...

    def hold_log(self, needed: Callable[[], int | None]) -> None:
        """Keep every segment from the number on that `needed()` returns."""
        ...

    def subscribe(self, listener: CommitListener) -> None:
        """Have `listener` told of every commit, on the writer's thread."""
        ...

    async def drain(self) -> None:
        """Wait until what was appended by now is in the log."""
        ...
