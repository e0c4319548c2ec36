"""The event bus: of this process, or of all replicas where there is a Redis."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from controlplane.app.sharing import Sharing
from controlplane.app.supervisor import Supervisor
from controlplane.clock import Clock
from controlplane.cluster.options import ClusterOptions
from controlplane.events.event import Event
from controlplane.events.local import LocalBus
from controlplane.events.metrics import BusMetrics
from controlplane.events.ports import Bus


def build_bus(
    sharing: Sharing,
    options: ClusterOptions,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    foreign: Callable[[Event], None],
) -> Bus:
    """Return the bus; `foreign` is told what happens at other replicas."""
    metrics = BusMetrics(registry)
    if sharing.connection is None:
        return LocalBus(clock, metrics)
    # Redis' client takes long to import: only for those who have one.
    from controlplane.cluster.bus import RedisBus  # noqa: PLC0415 - as said

    redis, key = sharing.connection.client, f"{options.prefix}:events"
    return RedisBus(redis, key, clock, metrics, foreign=foreign)


def start_bus(bus: Bus, supervisor: Supervisor) -> None:
    """Have it shared with the other replicas."""
    if isinstance(bus, LocalBus):
        return
    from controlplane.cluster.bus import RedisBus  # noqa: PLC0415 - as above

    if isinstance(bus, RedisBus):
        supervisor.start("event bus", bus.run, drain=bus.drain)
