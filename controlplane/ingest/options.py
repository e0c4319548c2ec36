"""The bounds of what is taken in."""

from dataclasses import dataclass
from typing import Final

from controlplane.clock import Duration
from controlplane.model.duration import MINUTE

# Upstream refuses a remote write of more, decompressed.
MOST_BYTES: Final = 32 << 20
# What OTLP asks receivers to take, decompressed.
MOST_OTLP_BYTES: Final = 20 << 20


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """`max_bytes` bounds a decompressed body, `max_otlp_bytes` one of OTLP.

    `keep` is the store's retention (0: for ever): older samples are refused at
    once, as are those more than `ahead` in the future. `max_keys` bounds the
    encodings of label sets that are remembered, `max_families` the metric
    families whose type and help are, `max_series_per_sender` the series that one
    sender may begin (0: no bound).
    """

    max_bytes: int = MOST_BYTES
    max_otlp_bytes: int = MOST_OTLP_BYTES
    keep: Duration = 0
    ahead: Duration = 10 * MINUTE
    max_keys: int = 4_000_000
    max_families: int = 100_000
    max_series_per_sender: int = 0
