"""Bodies of remote write, version 1 and 2, as series and samples.

Versions are those of prometheus.io/docs/specs: `prometheus.WriteRequest` and
`io.prometheus.write.v2.Request`. Exemplars are counted and dropped, as by an upstream that has no
room for them.
"""

from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from typing import Any, Final, cast

import cramjam
import numpy as np

from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput, TooLarge
from controlplane.ingest.columns import sample_columns
from controlplane.ingest.histograms import read_histogram
from controlplane.ingest.incoming import Incoming, Rejections
from controlplane.ingest.metadata import Metadata, MetadataBook
from controlplane.ingest.wire import decode, metric_type
from controlplane.model.histogram import FloatHistogram
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.model.samples import STALE_NAN
from controlplane.tsdb.remote.protobuf import field

Pairs = Sequence[tuple[str, str]]

# Numbers of fields in TimeSeries: labels, and a sample, with its tag and length, of each layout
# that is usual (see `columns`).
_LABELS: Final = 1
_SAMPLE_OF_16: Final = b"\x12\x10"
_SAMPLE_OF_7: Final = b"\x12\x07"


def decompress(body: bytes, most: int) -> bytes:
    """Return what a snappy block holds; its length is looked at before it is unpacked.

    Raises InvalidInput, and TooLarge for more than `most` bytes.
    """
    try:
        size = cramjam.snappy.decompress_raw_len(body)
        if size > most:
            raise TooLarge(f"{size} bytes decompressed are over the limit of {most}")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise InvalidInput(f"the body is no snappy block: {error}") from None


def read_version_1(
    body: bytes, metadata: MetadataBook, known: Container[Hashable] = ()
) -> Incoming:
    """Return what a `prometheus.WriteRequest` holds. Raises InvalidInput.

    Series whose keys are `known`, and which have one sample, cost a fraction of others.
    """
    request = decode("EncodedRequest", body)
    if body and not request.timeseries and not request.metadata:
        # Another message decodes as an empty one: accepting it would lose its samples.
        raise InvalidInput("the body holds neither series nor metadata: is it a WriteRequest?")
    for said in request.metadata:
        metadata.note(
            said.metric_family_name, Metadata(metric_type(said.type), said.help, said.unit)
        )
    gathered = _Gathered()
    for encoded in request.timeseries:
        # What begins with a known key, which is whole fields, and goes on with one field has that.
        if encoded[-18:-16] == _SAMPLE_OF_16 and encoded[:-18] in known:
            gathered.add_sample(encoded[:-18], encoded[-16:])
        elif encoded[-9:-7] == _SAMPLE_OF_7 and encoded[:-9] in known:
            gathered.add_sample(encoded[:-9], encoded[-7:])
        else:
            series = decode("TimeSeries", encoded)
            gathered.add(b"".join([field(_LABELS, label) for label in series.labels]), series)
    return gathered.incoming("remote_write_1", _labels_1)


def read_version_2(body: bytes, metadata: MetadataBook) -> Incoming:
    """Return what an `io.prometheus.write.v2.Request` holds. Raises InvalidInput."""
    request = decode("Request2", body)
    symbols = list(request.symbols)
    if symbols and symbols[0]:
        raise InvalidInput("the first symbol must be the empty string")
    if body and not request.timeseries:
        raise InvalidInput("the body holds no series: is it a v2.Request?")
    gathered = _Gathered()
    for series in request.timeseries:
        if not (series.samples or series.histograms):
            gathered.rejections.add("series_without_samples")
            continue
        try:
            key = _resolve(symbols, series.labels_refs)
            _note(metadata, key, symbols, series)
        except InvalidInput as error:
            number = len(series.samples) + len(series.histograms)
            gathered.rejections.add("invalid_labels", number, error.reason)
            continue
        gathered.add(key, series)
    return gathered.incoming("remote_write_2", _labels_2)


class _Gathered:
    """Series of a request, put together."""

    def __init__(self) -> None:
        self.rejections = Rejections()
        self._keys: list[Hashable] = []
        self._counts: list[int] = []
        self._samples: list[bytes] = []
        self._histograms: list[tuple[Hashable, Timestamp, FloatHistogram | None]] = []
        self._exemplars = 0

    def add_sample(self, key: Hashable, sample: bytes) -> None:
        """Take a series of one sample in."""
        self._keys.append(key)
        self._counts.append(1)
        self._samples.append(sample)

    def add(self, key: Hashable, series: Any) -> None:
        """Take a series' samples in; count what cannot be stored."""
        samples = series.samples
        if samples:
            self._keys.append(key)
            self._counts.append(len(samples))
            self._samples.extend(samples)
        self._exemplars += len(series.exemplars)
        for encoded in series.histograms:
            try:
                found = read_histogram(encoded)
            except InvalidInput as error:
                self.rejections.add("invalid_histogram", 1, error.reason)
                continue
            self._histograms.append((key, *found))

    def incoming(self, protocol: str, labels_of: Callable[[Hashable], Labels]) -> Incoming:
        times, values = sample_columns(self._samples)
        owners = np.repeat(np.arange(len(self._keys)), self._counts)
        first = len(times)
        if self._histograms:
            keys, instants, histograms = zip(*self._histograms, strict=True)
            owners = np.concatenate((owners, len(self._keys) + np.arange(len(keys))))
            times = np.concatenate((times, np.array(instants, dtype=np.int64)))
            values = np.concatenate((values, np.full(len(keys), STALE_NAN)))
            self._keys += keys
            found = {first + at: one for at, one in enumerate(histograms) if one is not None}
        else:
            found = {}
        return Incoming(
            protocol,
            self._keys,
            labels_of,
            owners,
            times,
            values,
            self.rejections,
            self._exemplars,
            found,
        )


def _labels_1(key: Hashable) -> Labels:
    labels = decode("TimeSeries", cast(bytes, key)).labels
    decoded = (decode("Label", each) for each in labels)
    return checked_labels([(label.name, label.value) for label in decoded])


def _labels_2(key: Hashable) -> Labels:
    return checked_labels(list(_in_pairs(cast(Sequence[str], key))))


def checked_labels(pairs: Pairs) -> Labels:
    """Return a label set. Raises InvalidInput where upstream refuses it."""
    names = [name for name, _ in pairs]
    if "" in names:
        raise InvalidInput("a label without a name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"the label {twice!r} comes twice")
    labels = Labels(pairs)
    if not labels.name:
        raise InvalidInput(f"no metric name in {labels}")
    return labels


def _resolve(symbols: Sequence[str], refs: Sequence[int]) -> tuple[str, ...]:
    """Return names and values in turn. Raises InvalidInput."""
    if len(refs) % 2:
        raise InvalidInput("an odd number of references to symbols")
    try:
        return tuple([symbols[ref] for ref in refs])
    except IndexError:
        raise InvalidInput("a reference beyond the symbols") from None


def _in_pairs(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(texts[::2], texts[1::2], strict=True)


def _note(book: MetadataBook, key: Sequence[str], symbols: Sequence[str], series: Any) -> None:
    if not series.HasField("metadata"):
        return
    said = series.metadata
    text, unit = _resolve(symbols, (said.help_ref, said.unit_ref))
    name = next((value for label, value in _in_pairs(key) if label == METRIC_NAME), "")
    kind = metric_type(said.type)
    book.note(_family(name, kind), Metadata(kind, text, unit))


def _family(name: str, kind: str) -> str:
    """Return the family that a series of a classic histogram or a summary belongs to."""
    suffixes = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
    for suffix in suffixes.get(kind, ()):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
