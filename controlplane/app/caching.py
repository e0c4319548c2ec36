"""What readers share: a cache of this process, and behind it a place in Redis if there is one."""

from collections.abc import Callable
from random import SystemRandom

from prometheus_client import CollectorRegistry

from controlplane.api.cache import Cache, CacheMetrics, Store
from controlplane.app.sharing import Sharing
from controlplane.clock import Clock
from controlplane.cluster.options import ClusterOptions
from controlplane.events.ports import Bus


def build_cache(
    sharing: Sharing,
    options: ClusterOptions,
    bus: Bus,
    taken: Callable[[], int],
    *,
    clock: Clock,
    registry: CollectorRegistry,
) -> Cache:
    """Return the cache; its values end with events, and when `taken` grows: rows changed."""
    return Cache(
        clock,
        lambda kinds: (bus.version(kinds), taken()) if kinds else 0,
        CacheMetrics(registry),
        chance=SystemRandom().random,
        store=_store(sharing, options, clock),
    )


def _store(sharing: Sharing, options: ClusterOptions, clock: Clock) -> Store | None:
    if sharing.connection is None:
        return None
    # Redis' client takes long to import: only for those who have one.
    from controlplane.cluster.cache import RedisStore  # noqa: PLC0415 - as said

    return RedisStore(sharing.connection.client, options.prefix, clock)
