"""What probes need from the rest of the program."""

from typing import Protocol

from controlplane.clock import Timestamp
from controlplane.probes.outcome import Outcome


class StateSink(Protocol):
    """Is told of a target's first state, and of each change of it or of the reason, on the loop.

    Must return at once.
    """

    def __call__(self, target_id: str, up: bool, reason: str) -> None: ...  # noqa: FBT001 - a state


class EvidenceSink(Protocol):
    """Is told of each failed probe, on the event loop. Must return at once."""

    def __call__(self, target_id: str, time: Timestamp, outcome: Outcome) -> None: ...


class ResultSink(Protocol):
    """Is told of every result, on the event loop. Must return at once.

    A result of now holds `until` an instant at most: by then the next one is overdue.
    """

    def __call__(
        self,
        target_id: str,
        now: Timestamp,
        well: bool,  # noqa: FBT001 - a state
        latency: float,
        until: Timestamp,
    ) -> None: ...
