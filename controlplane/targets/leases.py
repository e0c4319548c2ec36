"""Leases by the clock: the series that shows one which ran out, and removal long after."""

import numpy as np

from controlplane.clock import Clock, Timestamp
from controlplane.errors import Overloaded, Unavailable
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_NAN
from controlplane.model.share import WHOLE, Share
from controlplane.model.target import Target
from controlplane.targets.metrics import TargetMetrics
from controlplane.targets.options import TargetOptions
from controlplane.targets.registry import TargetRegistry
from controlplane.telemetry.correlation import new_correlation_id
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.ports import Appender, Write

log = get_logger(__name__)

SERIES = "controlplane_target_lease_expired"


class LeaseWatch:
    """Writes `controlplane_target_lease_expired` (1 or 0) for every target with a lease.

    A series whose target went, or that carries other labels now, ends with a
    staleness marker, so that an alert on it resolves at once. One whose target
    became another replica's goes on there.
    """

    def __init__(
        self,
        registry: TargetRegistry,
        appender: Appender,
        *,
        clock: Clock,
        options: TargetOptions,
        metrics: TargetMetrics,
        share: Share = WHOLE,
    ) -> None:
        self._share = share
        self._registry = registry
        self._appender = appender
        self._clock = clock
        self._options = options
        self._metrics = metrics
        self._written: dict[Labels, str] = {}  # each series with its target's id

    def configure(self, options: TargetOptions) -> None:
        """Use another interval from the next look on."""
        self._options = options

    async def run(self) -> None:
        """Look at the leases in fixed slots, until cancelled."""
        while True:
            interval = self._options.lease_check_interval
            now = self._clock.now()
            slot = now - now % interval
            await self.check(slot)
            # A clock that jumped back must not make this loop wait for it.
            await self._clock.sleep(min(slot + interval - self._clock.now(), interval) / 1000)

    async def check(self, now: Timestamp) -> None:
        """Remove what expired long ago and write the series as of `now`."""
        try:
            await self._registry.expire(now, self._share.owns)
        except Unavailable as error:
            log.warning("expired targets stay, the database is away", reason=str(error))
        self._write(now)

    def _write(self, now: Timestamp) -> None:
        mine: dict[Labels, str] = {}
        expired: dict[Labels, bool] = {}
        for target in self._registry:
            if target.expires_at is not None and self._share.owns(target.id):
                labels = series(target)
                mine[labels], expired[labels] = target.id, target.expires_at <= now
        self._metrics.leases_expired.set(sum(expired.values()))
        ended = [
            labels
            for labels, target_id in self._written.items()
            if labels not in mine and self._share.owns(target_id)
        ]
        if not mine and not ended:
            self._written = mine
            return
        values = np.array([*expired.values(), *(STALE_NAN for _ in ended)], dtype=np.float64)
        refs = self._appender.refs([*mine, *ended])
        try:
            self._appender.append([Write("leases", now, refs, values, new_correlation_id())])
        except Overloaded as error:
            log.warning("the series of leases has a gap", reason=str(error))
            return
        self._written = mine


def series(target: Target) -> Labels:
    """Return the series that tells of a target's lease."""
    return target.labels().merge({METRIC_NAME: SERIES})
