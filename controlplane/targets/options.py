"""What can be set about the registry: `targets:` and `target_settings:` in the file."""

from dataclasses import dataclass

from controlplane.clock import Duration
from controlplane.model.duration import DAY, SECOND
from controlplane.model.target import TargetSpec


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """The targets that the file owns, and what counts for all. Durations in milliseconds.

    A lease that ran out is shown by a series at once; `lease_removal_after`
    later the target is removed. `default_interval` is `global.scrape_interval`.
    """

    targets: tuple[TargetSpec, ...] = ()
    default_interval: Duration = 15 * SECOND
    min_interval: Duration = 1 * SECOND
    min_lease: Duration = 1 * SECOND
    lease_removal_after: Duration = 1 * DAY
    lease_check_interval: Duration = 5 * SECOND
    max_targets: int = 100_000
