"""What remote write and a datasource tell of themselves."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Why samples are not counted as sent: relabelling dropped them, they are native
# histograms, they are older than the limit, more waited for the receiver than
# may be kept, or it refused what it had got just before a crash.
DROPPED: Final = ("relabelled", "histogram", "too_old", "over_bound", "repeated")


class RemoteWriteMetrics:
    """Registers on the given registry. `remote` is the receiver's name, or of its URL."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            name = f"controlplane_remote_write_{name}"
            return Counter(name, text, ["remote", *labels], registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            name = f"controlplane_remote_write_{name}"
            return Gauge(name, text, ["remote"], registry=registry)

        self.sent = counter("samples", "Samples that a receiver accepted.")
        self.failed = counter(
            "samples_failed", "Samples that a receiver refused for good, and were given up."
        )
        self.retried = counter(
            "samples_retried", "Samples of requests that were sent again after a failure."
        )
        self.dropped = counter(
            "samples_dropped",
            "Samples that were not sent, by reason.",
            "reason",
        )
        self.divided = counter(
            "divided",
            "Requests that were sent again in parts, as some samples came too late.",
        )
        self.pending = gauge("samples_pending", "Samples read from the log and not yet accepted.")
        self.log_bytes = gauge(
            "log_bytes_pending", "Bytes of the log that hold what was not yet accepted."
        )
        self.bytes = counter("bytes", "Bytes of accepted requests, compressed.")
        self.metadata = counter("metadata", "Metric families whose metadata was accepted.")
        self.metadata_failed = counter(
            "metadata_failed", "Metric families whose metadata was refused, or could not be sent."
        )
        self.seconds = Histogram(
            "controlplane_remote_write_sent_batch_duration_seconds",
            "How long requests took, whatever came of them.",
            ["remote"],
            registry=registry,
        )
        self.shards = gauge("shards", "Requests that were under way at once in the last round.")
        self.shards_max = gauge("shards_max", "How many requests may be under way at once.")
        self.shards_min = gauge("shards_min", "Among how many the samples are spread at least.")
        self.highest_sent = gauge(
            "highest_sent_timestamp_seconds", "The newest instant that a receiver accepted."
        )
        self.highest = Gauge(
            "controlplane_remote_write_highest_timestamp_in_seconds",
            "The newest instant that was committed to the sample store.",
            registry=registry,
        )
        self.restarts = counter("restarts", "How often sending broke off, and began anew.")

    def begin(self, remote: str, shards_max: int, shards_min: int) -> None:
        """Show a receiver's series, from zero where nothing was counted yet."""
        counters = (self.sent, self.failed, self.retried, self.divided, self.bytes, self.restarts)
        for each in counters:
            each.labels(remote)
        for reason in DROPPED:
            self.dropped.labels(remote, reason)
        for gauge in (self.pending, self.log_bytes, self.shards):
            gauge.labels(remote)
        self.shards_max.labels(remote).set(shards_max)
        self.shards_min.labels(remote).set(shards_min)

    def forget(self, remote: str) -> None:
        """Drop the gauges of a receiver that is gone; counters stay, as it may come back."""
        for each in (self.pending, self.log_bytes, self.shards, self.shards_max, self.shards_min):
            each.remove(remote)


class DatasourceMetrics:
    """Registers on the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.questions = Counter(
            "controlplane_datasource_questions",
            "Questions to the engines of `datasource`, by outcome.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("answered", "refused", "failed"):
            self.questions.labels(outcome)
        self.seconds = Histogram(
            "controlplane_datasource_question_duration_seconds",
            "How long questions took, with the wait for their turn.",
            registry=registry,
        )
