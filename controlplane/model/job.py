"""A scheduled job, its runs, and how they went."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.clock import Timestamp


class JobResult(StrEnum):
    """How an attempt at a job ended."""

    SUCCESS = "success"
    FAILURE = "failure"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"  # an attempt failed; another will be made
    SUCCESS = "success"
    DEAD = "dead"  # given up, until somebody has it run again


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job, for one time at which it was due: made by one replica at a time.

    `attempt` grows each time that somebody takes the run on, so that it tells
    the one who holds it from one who held it before. `lease_until` counts while
    it is running, `retry_at` while it waits.
    """

    id: int
    name: str
    due_at: Timestamp
    state: RunState
    attempt: int
    owner: str
    lease_until: Timestamp
    retry_at: Timestamp
    started_at: Timestamp
    ended_at: Timestamp | None
    failure: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class JobPast:
    """What is kept of a job's runs: the newest, how many there were, how many failed at first."""

    latest: JobRun
    runs: int
    failures: int


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job and its last run, whichever replica made it; instants are None until they come.

    `schedule` is how often, in words of the configuration: `1h`, or a line of
    crontab(5) with its zone. `due_at` is when the last run was to begin; `runs`
    and `failures` count those that are still on record. `missed` counts times
    that this process left out since its start because the run before lasted,
    or the process was late.
    """

    name: str
    schedule: str
    next_at: Timestamp | None = None
    running: bool = False
    replica: str = ""
    due_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    seconds: float | None = None
    result: JobResult | None = None
    failure: str = ""
    correlation_id: str = ""
    retry_at: Timestamp | None = None
    dead: bool = False
    runs: int = 0
    failures: int = 0
    missed: int = 0
