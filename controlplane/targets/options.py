"""What can be set about the registry: `targets:` and `target_settings:` in the file."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.model.duration import DAY, SECOND
from controlplane.model.target import TargetSpec


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """The targets that the file owns, and what counts for all. Durations in milliseconds.

    A lease that ran out is shown by a series at once; `lease_removal_after`
    later the target is removed. The series are written, and leases looked at,
    every `lease_check_interval`.
    """

    targets: tuple[TargetSpec, ...] = ()
    min_interval: Duration = 1 * SECOND
    min_lease: Duration = 1 * SECOND
    lease_removal_after: Duration = 1 * DAY
    lease_check_interval: Duration = 5 * SECOND
    max_targets: int = 100_000
    failures_kept: int = 10
