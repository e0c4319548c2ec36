"""The process's own registry as a target: the same way into the store, without HTTP."""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from controlplane.clock import Duration
from controlplane.model.duration import SECOND
from controlplane.model.labels import Labels
from controlplane.scrape.job import ScrapeJob
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetch, Fetched

OWN_JOB: Final = "controlplane"
_KEY: Final = "own"
_CONTENT_TYPE: Final = "text/plain; version=0.0.4"


def own_job(replica: str, interval: Duration = 15 * SECOND) -> ScrapeJob:
    """Return the job that stores what this process tells of itself."""
    config = ScrapeConfig(OWN_JOB, scrape_interval=interval, scrape_timeout=interval)
    labels = Labels({"job": OWN_JOB, "instance": replica})
    return ScrapeJob(_KEY, "", labels, interval, interval, config)


def own_fetch(registry: CollectorRegistry, others: Fetch) -> Fetch:
    """Return a Fetch that answers for `own_job` from the registry, and asks `others` else."""

    async def get() -> Fetched:
        # Collecting asks every metric, and takes milliseconds when they are many.
        body = await asyncio.to_thread(generate_latest, registry)
        return Fetched(body, _CONTENT_TYPE)

    return lambda job: get if job.key == _KEY else others(job)
