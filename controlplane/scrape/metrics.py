"""What scraping tells of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ScrapeMetrics:
    """Registers on the given registry; never labelled by target."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.scrapes = Counter(
            "controlplane_scrapes",
            "Scrapes that ended, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "controlplane_scrape_duration_seconds",
            "From the request to the write, everything included.",
            registry=registry,
        )
        self.lateness = Histogram(
            "controlplane_scrape_lateness_seconds",
            "How long after its tick a scrape began.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.missed_ticks = Counter(
            "controlplane_scrape_missed_ticks",
            "Ticks that were passed over because the scrape before took too long.",
            registry=registry,
        )
        self.samples = Counter(
            "controlplane_scraped_samples", "Samples handed to the store.", registry=registry
        )
        self.duplicates = Counter(
            "controlplane_scrape_duplicate_samples",
            "Samples left out because the same body held their series before.",
            registry=registry,
        )
        self.exemplars = Counter(
            "controlplane_scrape_exemplars_dropped",
            "Exemplars in scraped bodies: none are kept.",
            registry=registry,
        )
        self.faults = Counter(
            "controlplane_scrape_faults",
            "Errors of our own inside a scrape; each is logged.",
            registry=registry,
        )
        self.targets = Gauge(
            "controlplane_scrape_targets", "Targets that are scraped.", registry=registry
        )
        self.discovery_failures = Counter(
            "controlplane_scrape_discovery_failures",
            "Files of file_sd_configs that could not be read; their old targets stay.",
            registry=registry,
        )
