"""What is handed from the head's writer to those who write blocks."""

from dataclasses import dataclass

from controlplane.tsdb.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sealed:
    """The head at one moment, and the number of the log's segment that begins there."""

    snapshot: Snapshot
    number: int
