"""A scheduled job, and how its runs went."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.clock import Timestamp


class JobResult(StrEnum):
    """How a run of a job ended."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job and its last run since the start of the process; instants are None until they come.

    `schedule` is how often, in words of the configuration: `1h`, or a line of
    crontab(5) with its zone. `due_at` is when the last run was to begin. While a
    run is under way `ended_at` and `result` are those of the run before. `missed`
    counts runs left out because the one before them lasted, or the process was late.
    """

    name: str
    schedule: str
    next_at: Timestamp | None = None
    running: bool = False
    due_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    seconds: float | None = None
    result: JobResult | None = None
    failure: str = ""
    correlation_id: str = ""
    runs: int = 0
    failures: int = 0
    missed: int = 0
