"""What counts requests for limits: this process, or Redis for all replicas."""

from prometheus_client import CollectorRegistry

from controlplane.app.sharing import Sharing
from controlplane.auth.limits import Counter
from controlplane.auth.windows import Windows
from controlplane.clock import Clock
from controlplane.cluster.metrics import LimitMetrics
from controlplane.cluster.options import ClusterOptions


def build_counter(
    sharing: Sharing, options: ClusterOptions, *, clock: Clock, registry: CollectorRegistry
) -> Counter:
    """Return the counter of all replicas, or of the one that there is."""
    if sharing.connection is None:
        return Windows(clock)
    # Redis' client takes long to import: only for those who have one.
    from controlplane.cluster.limits import SharedWindows  # noqa: PLC0415 - as said

    return SharedWindows(sharing.connection.client, options.prefix, clock, LimitMetrics(registry))
