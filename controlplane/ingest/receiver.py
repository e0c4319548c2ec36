"""From a request's samples to the store: what is refused is known before the answer."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from controlplane.clock import Clock, Timestamp
from controlplane.errors import InvalidInput, Overloaded, TooLarge
from controlplane.ingest.histograms import ByDigest, digested, histograms_of, stored_digests
from controlplane.ingest.incoming import Incoming, Rejections, Tally
from controlplane.ingest.metadata import MetadataBook
from controlplane.ingest.metrics import IngestMetrics
from controlplane.ingest.options import IngestOptions
from controlplane.ingest.otlp.decode import Encoding, read, unzip
from controlplane.ingest.otlp.translate import translate
from controlplane.ingest.ports import SampleStore
from controlplane.ingest.remote_write import decompress, read_version_1, read_version_2
from controlplane.ingest.series import OVER_SENDER, REFUSED, SeriesBook
from controlplane.model.samples import STALE_NAN, Mask, Refs, Times, Values
from controlplane.telemetry.correlation import correlation_id
from controlplane.tsdb.histograms import is_marker
from controlplane.tsdb.index import NO_SERIES
from controlplane.tsdb.ports import Write
from controlplane.tsdb.sift import NEVER, Batch, sift

_FLUSH_SECONDS: Final = 10.0
# Far enough for any sample that the store holds.
_EVER: Final = 2**47


class Receiver:
    """Takes requests in. Blocks: call it on a thread. Safe from any of them.

    The store answers nothing to an append, so what it would refuse as out of
    order is found here, by the newest sample of each series that came this way
    or was there before. When a call returns, its samples are kept and visible.
    """

    def __init__(
        self, store: SampleStore, clock: Clock, metrics: IngestMetrics, options: IngestOptions
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._options = options
        self._series = SeriesBook(store, options.max_keys, options.max_series_per_sender)
        self._newest = _Newest(store)
        self._lock = threading.Lock()
        self.metadata = MetadataBook(options.max_families)

    def remote_write(self, body: bytes, version: int, sender: str = "") -> Tally:
        """Take in a snappy-compressed body of remote write, version 1 or 2.

        `sender` names for whom new series count.
        Raises InvalidInput for what cannot be decoded, TooLarge, and Overloaded
        when the samples should be sent again: all of them, as those that were
        kept already do no harm.
        """
        protocol = f"remote_write_{version}"
        try:
            plain = decompress(body, self._options.max_bytes)
            if version == 1:
                incoming = read_version_1(plain, self.metadata, self._series)
            else:
                incoming = read_version_2(plain, self.metadata)
        except InvalidInput:
            self._metrics.unreadable.labels(protocol).inc()
            raise
        return self.take(replace(incoming, sender=sender))

    def otlp(
        self, body: bytes, encoding: Encoding, *, gzip: bool = False, sender: str = ""
    ) -> Tally:
        """Take in an ExportMetricsServiceRequest. Raises as `remote_write` does."""
        most = self._options.max_otlp_bytes
        try:
            plain = unzip(body, most) if gzip else body
            if len(plain) > most:
                raise TooLarge(f"the body is over the limit of {most} bytes")
            incoming = translate(read(plain, encoding), self.metadata)
        except InvalidInput:
            self._metrics.unreadable.labels("otlp").inc()
            raise
        return self.take(replace(incoming, sender=sender))

    def take(self, incoming: Incoming) -> Tally:
        """Store what a request holds. Raises Overloaded as `remote_write` does."""
        with self._lock:
            epoch, tally = self._append(incoming)
        if not self._store.flush(_FLUSH_SECONDS):
            raise Overloaded("the sample store does not keep up", retry_after=_FLUSH_SECONDS)
        if self._store.epoch != epoch:
            # Series were removed meanwhile, perhaps one of these: numbers are asked for anew.
            raise Overloaded("series were removed meanwhile")
        self._metrics.samples.labels(incoming.protocol).inc(tally.written)
        self._metrics.exemplars.labels(incoming.protocol).inc(incoming.exemplars)
        for reason, number in incoming.rejections.counts.items():
            self._metrics.rejected.labels(incoming.protocol, reason).inc(number)
        return tally

    def _append(self, incoming: Incoming) -> tuple[int, Tally]:
        refs = self._series.refs(incoming)
        self._metrics.known.set(len(self._series))
        epoch = self._series.epoch
        values, by_digest = digested(incoming.values, incoming.histograms)
        batch = self._in_time(
            Batch(refs[incoming.owners], incoming.times, values), incoming.rejections
        )
        last_times, last_values = self._newest.of(batch.refs, epoch)
        alive = np.ones(len(last_times), dtype=np.bool_)
        sifted = sift(
            batch, alive=alive, last_times=last_times, last_values=last_values, cutoff=NEVER
        )
        for reason, number in sifted.rejected.items():
            incoming.rejections.add(reason, number)
        taken = sifted.batch
        repeated = len(batch) - len(taken) - sum(sifted.rejected.values())
        if len(taken):
            self._store.append(_writes(taken, incoming.protocol, by_digest))
            self._newest.note(taken)
        native = int(np.count_nonzero(is_marker(taken.values))) if by_digest else 0
        return epoch, Tally(len(taken) + repeated, incoming.rejections, native)

    def _in_time(self, batch: Batch, rejections: Rejections) -> Batch:
        """Leave out samples of refused series and those out of bounds of time."""
        now = self._clock.now()
        refused = batch.refs == REFUSED  # counted with their label sets
        limited = batch.refs == NO_SERIES
        over = batch.refs == OVER_SENDER
        late = batch.times < (now - self._options.keep if self._options.keep else NEVER)
        early = batch.times > now + self._options.ahead
        known = ~(refused | limited | over)
        rejections.add("series_limit", int(np.count_nonzero(limited)))
        rejections.add("sender_series_limit", int(np.count_nonzero(over)))
        rejections.add("too_old", int(np.count_nonzero(known & late)))
        rejections.add("out_of_bounds", int(np.count_nonzero(known & early)))
        return batch.take(known & ~late & ~early)


class _Newest:
    """Time and value of the newest sample of each series, by its number."""

    def __init__(self, store: SampleStore) -> None:
        self._store = store
        self._epoch = store.epoch
        self._times: Times = np.empty(0, dtype=np.int64)
        self._values: Values = np.empty(0, dtype=np.float64)
        self._looked_up: Mask = np.empty(0, dtype=np.bool_)

    def of(self, refs: Refs, epoch: int) -> tuple[Times, Values]:
        """Return times and values, indexed by number, filled in for `refs`."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._times, self._values = self._times[:0], self._values[:0]
            self._looked_up = self._looked_up[:0]
        if len(refs) and refs.max() >= len(self._times):
            self._grow(int(refs.max()) + 1)
        unknown = np.unique(refs[~self._looked_up[refs]])
        if len(unknown):
            self._look_up(unknown)
        return self._times, self._values

    def note(self, batch: Batch) -> None:
        """Remember samples; each series' are in rising order."""
        self._times[batch.refs] = batch.times
        self._values[batch.refs] = batch.values

    def _look_up(self, refs: Refs) -> None:
        querier = self._store.querier()
        found = querier.instants(refs, np.array([_EVER]), 2 * _EVER)
        there, values = found.present[:, 0], found.values[:, 0]
        if (lookup := querier.histograms(refs)) is not None:
            values = stored_digests(values, lookup)
        self._times[refs[there]] = found.times[there, 0]
        self._values[refs[there]] = values[there]
        self._looked_up[refs] = True

    def _grow(self, size: int) -> None:
        more = max(size, 2 * len(self._times)) - len(self._times)
        self._times = np.concatenate((self._times, np.full(more, NEVER)))
        self._values = np.concatenate((self._values, np.full(more, STALE_NAN)))
        self._looked_up = np.concatenate((self._looked_up, np.zeros(more, dtype=np.bool_)))


def _writes(batch: Batch, origin: str, by_digest: ByDigest) -> Sequence[Write]:
    single: Timestamp = int(batch.times[0])
    times = single if bool((batch.times == single).all()) else batch.times
    found = histograms_of(batch.values, by_digest)
    return [Write(origin, times, batch.refs, batch.values, correlation_id(), found)]
