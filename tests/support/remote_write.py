"""Bodies of remote write as a sender makes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cramjam

from controlplane.ingest.wire import message_class
from controlplane.model.samples import STALE_BITS

Sample = tuple[int, float]
Series = tuple[Mapping[str, str], Sequence[Sample]]


def snappy(body: bytes) -> bytes:
    """Return a snappy block."""
    return bytes(cramjam.snappy.compress_raw(body))


def encoded_samples(samples: Iterable[Sample]) -> list[bytes]:
    """Return each sample's encoding."""
    kind = message_class("Sample")
    return [kind(timestamp=time, value=value).SerializeToString() for time, value in samples]


def stale_sample(time: int) -> bytes:
    """Return the encoding of a staleness marker."""
    plain = encoded_samples([(time, 1.0)])[0]
    return plain[:1] + STALE_BITS.to_bytes(8, "little") + plain[9:]


def version_1(series: Iterable[Series], raw: Mapping[str, Sequence[bytes]] | None = None) -> bytes:
    """Return a WriteRequest; `raw` has encoded samples for series that are only a name."""
    request = message_class("WriteRequest")()
    for labels, samples in series:
        _add(request, labels.items(), encoded_samples(samples))
    for name, encoded in (raw or {}).items():
        _add(request, [("__name__", name)], encoded)
    body: bytes = request.SerializeToString()
    return body


def _add(request: Any, pairs: Iterable[tuple[str, str]], encoded: Sequence[bytes]) -> None:
    label, added = message_class("Label"), request.timeseries.add()
    added.labels.extend(label(name=n, value=v).SerializeToString() for n, v in pairs)
    added.samples.extend(encoded)


def version_2(series: Iterable[Series], *, metadata: tuple[int, str, str] | None = None) -> bytes:
    """Return a v2 Request; `metadata` is type, help and unit, said of each series."""
    request = message_class("Request2")()
    symbols = [""]

    def number(text: str) -> int:
        if text not in symbols:
            symbols.append(text)
        return symbols.index(text)

    for labels, samples in series:
        added = request.timeseries.add()
        added.labels_refs.extend(number(text) for pair in labels.items() for text in pair)
        added.samples.extend(encoded_samples(samples))
        if metadata is not None:
            kind, text, unit = metadata
            added.metadata.type = kind
            added.metadata.help_ref, added.metadata.unit_ref = number(text), number(unit)
    request.symbols.extend(symbols)
    body: bytes = request.SerializeToString()
    return body
