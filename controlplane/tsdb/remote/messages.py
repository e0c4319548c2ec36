"""The two versions of remote write's message, from label sets and encoded samples.

Version 1 is `prometheus.WriteRequest`, version 2 `io.prometheus.write.v2.Request`
(prometheus.io/docs/specs/prw). A series is encoded once and used often.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Generic, Protocol, TypeVar

from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.tsdb.remote.options import WriteMessage
from controlplane.tsdb.remote.ports import Families, Family
from controlplane.tsdb.remote.protobuf import field, varint, whole

S = TypeVar("S")

# `MetricMetadata.MetricType`, the same numbers in both versions.
_TYPES: Final[Mapping[str, int]] = {
    "counter": 1,
    "gauge": 2,
    "histogram": 3,
    "gaugehistogram": 4,
    "summary": 5,
    "info": 6,
    "stateset": 7,
}
# What the series of one family end with.
_SUFFIXES: Final = ("_bucket", "_count", "_sum", "_total", "_created", "_info")


class Message(Protocol, Generic[S]):
    """How series and samples become the body of a request."""

    headers: Mapping[str, str]
    # The field of a series in which its native histograms stand.
    histograms: int

    def series(self, labels: Labels) -> S:
        """Return a label set as `body` wants it."""
        ...

    def body(self, series: Sequence[S], samples: Sequence[bytes]) -> bytes:
        """Return a request of series and the encoded samples of each."""
        ...


class Version1(Message[bytes]):
    """Each series carries its labels in full."""

    headers = {  # noqa: RUF012 - of the protocol, and never changed
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    histograms = 4

    def series(self, labels: Labels) -> bytes:
        return b"".join([_label(pair) for pair in labels.pairs])

    def body(self, series: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
        return b"".join(
            b"".join((b"\x0a", varint(len(labels) + len(written)), labels, written))
            for labels, written in zip(series, samples, strict=True)
        )


@lru_cache(maxsize=1 << 14)
def _label(pair: tuple[str, str]) -> bytes:
    """Return a label as a series carries it; most labels are those of many series."""
    name, value = pair
    return field(1, field(1, name.encode()) + field(2, value.encode()))


class Version2(Message[tuple[str, ...]]):
    """Each text stands once in a request; series name them by number, with their metadata."""

    headers = {  # noqa: RUF012 - of the protocol, and never changed
        "Content-Type": f"application/x-protobuf;proto={WriteMessage.V2}",
        "X-Prometheus-Remote-Write-Version": "2.0.0",
    }
    histograms = 3

    def __init__(self, families: Families) -> None:
        self._families = families

    def series(self, labels: Labels) -> tuple[str, ...]:
        return tuple(text for pair in labels.pairs for text in pair)

    def body(self, series: Sequence[tuple[str, ...]], samples: Sequence[bytes]) -> bytes:
        symbols: dict[str, int] = {"": 0}
        families = self._families()
        written = [
            field(5, self._one(texts, encoded, symbols, families))
            for texts, encoded in zip(series, samples, strict=True)
        ]
        return b"".join([*(field(4, symbol.encode()) for symbol in symbols), *written])

    def _one(
        self,
        texts: tuple[str, ...],
        encoded: bytes,
        symbols: dict[str, int],
        families: Mapping[str, Family],
    ) -> bytes:
        refs = b"".join([varint(symbols.setdefault(text, len(symbols))) for text in texts])
        family = family_of(texts, families)
        if family is None:
            return field(1, refs) + encoded
        said = whole(1, _TYPES.get(family.type, 0))
        for number, text in ((3, family.help), (4, family.unit)):
            said += whole(number, symbols.setdefault(text, len(symbols)))
        return field(1, refs) + encoded + field(5, said)


def family_of(texts: Sequence[str], families: Mapping[str, Family]) -> Family | None:
    """Return what is known of the family of a series, given as names and values in turn."""
    if not families or METRIC_NAME not in texts[::2]:
        return None
    name = texts[2 * texts[::2].index(METRIC_NAME) + 1]
    found = families.get(name)
    if found is None:
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                return families.get(name.removesuffix(suffix))
    return found


def metadata_body(families: Iterable[tuple[str, Family]]) -> bytes:
    """Return a request of version 1 that holds metadata only."""
    return b"".join(
        field(
            3,
            whole(1, _TYPES.get(family.type, 0))
            + field(2, name.encode())
            + field(4, family.help.encode())
            + field(5, family.unit.encode()),
        )
        for name, family in families
    )
