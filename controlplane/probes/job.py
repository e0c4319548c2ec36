"""A target as it is probed, how long a probe may take, and what another replica left of it."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration, Timestamp
from controlplane.model.labels import Labels
from controlplane.probes.options import Module
from controlplane.probes.outcome import Reason

# A probe that ends by its time-out must have ended before the next tick.
_MOST_MARGIN: Final[Duration] = 250


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """One target on the schedule. `labels` are those that all its series carry.

    Without a `module` (a reload took it away) each probe fails with reason
    `config`.
    """

    key: str
    target: str
    labels: Labels
    module: Module | None
    interval: Duration
    module_name: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a target that another replica has probed until now.

    `well` is its last state (None: unknown) and `reason` why, if it was not.
    `since` is until when it did so, if it is taken over: when it let go, or was
    last heard of before it died. Slots after that had no probe.
    """

    well: bool | None = None
    reason: Reason | None = None
    since: Timestamp | None = None


def effective_timeout(job: ProbeJob) -> Duration:
    """Return how long a probe of the job may take: its module's time-out, within the interval."""
    longest = job.interval - min(_MOST_MARGIN, job.interval // 20)
    wanted = job.module.timeout if job.module is not None else 0
    return max(1, min(wanted, longest) if wanted > 0 else longest)
