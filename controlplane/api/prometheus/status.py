"""`/prometheus/api/v1/targets`, `status/buildinfo`: what is scraped, and what we are."""

from typing import Any, Final

from fastapi import APIRouter

from controlplane import __version__
from controlplane.api.prometheus.encode import Json, instant, success
from controlplane.api.prometheus.parameters import Given
from controlplane.api.surface import On
from controlplane.model.duration import format_duration
from controlplane.scrape.job import ScrapeStatus

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


# The version whose API is spoken here; Grafana chooses its requests by it.
_SPEAKS: Final = "3.5.0"


@router.get("/targets")
async def targets(given: Given, on: On) -> Json:
    """Return what is scraped, with the last scrape of each."""
    state, pool = given.text("state").lower(), given.text("scrapePool")
    active = on.scrapes() if state in ("", "any", "active") else ()
    dropped = on.dropped() if state in ("", "any", "dropped") else ()
    return success(
        {
            "activeTargets": [
                _target(each) for each in active if pool in ("", each.job.config.job_name)
            ],
            "droppedTargets": [
                {"discoveredLabels": dict(labels), "scrapePool": each.pool}
                for each in dropped
                if pool in ("", each.pool)
                for labels in each.labels
            ],
            "droppedTargetCounts": {each.pool: each.count for each in dropped},
        }
    )


@router.get("/status/buildinfo")
async def build_info() -> Json:
    """Return the version whose API is spoken, and ours as its revision."""
    return success(
        {
            "version": _SPEAKS,
            "revision": f"controlplane-{__version__}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


def _target(status: ScrapeStatus) -> dict[str, Any]:
    return {
        "discoveredLabels": dict(status.job.discovered),
        "labels": dict(status.job.labels),
        "scrapePool": status.job.config.job_name,
        "scrapeUrl": status.job.url,
        "globalUrl": status.job.url,
        "lastError": status.last_error,
        "lastScrape": instant(status.last_scrape),
        "lastScrapeDuration": status.last_duration,
        "health": status.health.value,
        "scrapeInterval": format_duration(status.job.interval),
        "scrapeTimeout": format_duration(status.job.timeout),
    }
