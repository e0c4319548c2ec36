"""What bounds the active alerts."""

from dataclasses import dataclass

from controlplane.clock import Duration


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """`resolve_timeout` is alertmanager.yml's; the rest are ours."""

    resolve_timeout: Duration = 300_000  # an alert without an end, unless spoken of again
    limit: int = 1_000_000  # active alerts at once; more are refused
    resolved_kept: Duration = 900_000  # a resolved alert stays listed this long
    gc_interval: Duration = 15_000
