"""What receiving tells of itself."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

PROTOCOLS: Final = ("remote_write_1", "remote_write_2", "otlp")


class IngestMetrics:
    """Registers on the given registry; never labelled by sender."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.samples = Counter(
            "controlplane_ingest_samples",
            "Samples taken in, by protocol.",
            ["protocol"],
            registry=registry,
        )
        self.rejected = Counter(
            "controlplane_ingest_rejected",
            "Samples and histograms refused, by protocol and reason.",
            ["protocol", "reason"],
            registry=registry,
        )
        self.exemplars = Counter(
            "controlplane_ingest_exemplars_dropped",
            "Exemplars that came with samples, by protocol: none are kept.",
            ["protocol"],
            registry=registry,
        )
        self.unreadable = Counter(
            "controlplane_ingest_unreadable_requests",
            "Requests that could not be decoded, by protocol.",
            ["protocol"],
            registry=registry,
        )
        self.known = Gauge(
            "controlplane_ingest_known_series",
            "Encodings of label sets whose series are remembered.",
            registry=registry,
        )
        for protocol in PROTOCOLS:
            self.samples.labels(protocol)
            self.exemplars.labels(protocol)
            self.unreadable.labels(protocol)
