"""Types, helps and units of metrics, told to a receiver of version 1 now and then."""

import cramjam

from controlplane.clock import Clock
from controlplane.telemetry.logs import get_logger
from controlplane.tsdb.remote.messages import Version1, metadata_body
from controlplane.tsdb.remote.metrics import RemoteWriteMetrics
from controlplane.tsdb.remote.options import MetadataOptions
from controlplane.tsdb.remote.ports import Families
from controlplane.tsdb.remote.post import Accepted, Poster

log = get_logger(__name__)


class MetadataSender:
    """Sends all that is known of metric families at an interval; the next time tries again."""

    def __init__(
        self,
        remote: str,
        options: MetadataOptions,
        families: Families,
        poster: Poster,
        *,
        clock: Clock,
        metrics: RemoteWriteMetrics,
    ) -> None:
        self._remote = remote
        self._options = options
        self._families = families
        self._poster = poster
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._clock.sleep(self._options.send_interval / 1000)
            try:
                await self.send()
            except Exception:  # the top of a loop: samples must go on being sent
                log.exception("metadata of remote write broke off", remote=self._remote)

    async def send(self) -> None:
        """Send everything once."""
        families = sorted(self._families().items())
        most = self._options.max_samples_per_send
        for at in range(0, len(families), most):
            some = families[at : at + most]
            body = bytes(cramjam.snappy.compress_raw(metadata_body(some)))
            outcome = await self._poster.post(body, Version1.headers, 0)
            if isinstance(outcome, Accepted):
                self._metrics.metadata.labels(self._remote).inc(len(some))
            else:
                self._metrics.metadata_failed.labels(self._remote).inc(len(some))
