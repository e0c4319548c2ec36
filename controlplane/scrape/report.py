"""The series that a scrape writes about itself: `up` and its like."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from controlplane.model.labels import METRIC_NAME
from controlplane.model.samples import Refs, Values
from controlplane.scrape.job import ScrapeJob
from controlplane.tsdb.ports import Appender

NAMES: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
# With `extra_scrape_metrics`.
EXTRA_NAMES: Final = (
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
)


@dataclass(slots=True)
class Tally:
    """What one scrape counted; `body_size` is -1 when the body was too large."""

    scraped: int = 0
    kept: int = 0
    added: int = 0
    body_size: int = 0


class Report:
    """The report series of one job. They carry the target's labels and no other."""

    def __init__(self, appender: Appender, job: ScrapeJob) -> None:
        names = NAMES + (EXTRA_NAMES if job.config.extra_scrape_metrics else ())
        self._job = job
        self._appender = appender
        self._series = [job.labels.merge({METRIC_NAME: name}) for name in names]
        self._epoch = appender.epoch
        self._refs: Refs | None = None

    def refs(self) -> Refs:
        """Return the number of each series, in the order of `values`."""
        if self._refs is None or self._epoch != self._appender.epoch:
            self._epoch = self._appender.epoch
            self._refs = self._appender.refs(self._series)
        return self._refs

    def values(self, tally: Tally, seconds: float, *, up: bool) -> Values:
        """Return the values of one scrape that took so many seconds."""
        job = self._job
        values: list[float] = [up, seconds, tally.scraped, tally.kept, tally.added]
        if job.config.extra_scrape_metrics:
            values += [job.timeout / 1000, job.config.sample_limit, tally.body_size]
        return np.array(values, dtype=np.float64)
