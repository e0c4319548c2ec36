"""What samples say of all targets at once: kept for a moment, read once for all readers."""

import asyncio
from collections.abc import Mapping
from typing import Final

from controlplane.clock import Duration
from controlplane.model.duration import DAY, HOUR, MINUTE, SECOND, format_duration
from controlplane.model.labels import METRIC_NAME, Labels
from controlplane.promql.values import Vector
from controlplane.ui.asking import at_instant
from controlplane.ui.console import Page
from controlplane.ui.listing import Readings

NO_READINGS: Final = Readings({}, {})
_LATENCY_KEPT: Final[Duration] = 5 * SECOND
_UPTIME_KEPT: Final[Duration] = MINUTE
# As many samples as may be read to know the uptime of all.
_MOST_SAMPLES: Final = 15_000_000
_WINDOWS: Final = (DAY, 6 * HOUR, HOUR)
_USUAL_INTERVAL: Final[Duration] = 15 * SECOND


async def readings(page: Page) -> Readings:
    """Return the last latency and the uptime of each target. Raises what queries raise."""
    latency, uptime = await asyncio.gather(
        _kept(page, "probe_duration_seconds", _LATENCY_KEPT),
        _kept(page, f"avg_over_time(probe_success[{window(page)}])", _UPTIME_KEPT),
    )
    return Readings(latency, uptime)


def window(page: Page) -> str:
    """Return how far back uptime looks: a day, or less where that were too much to read."""
    targets = max(1, len(page.on.targets))
    for length in _WINDOWS:
        if targets * length // _USUAL_INTERVAL <= _MOST_SAMPLES:
            return format_duration(length)
    return format_duration(_WINDOWS[-1])


async def _kept(page: Page, expr: str, age: Duration) -> Mapping[str, float]:
    version = (page.on.targets.version, page.now // age)
    task = page.console.kept.get(
        f"reading {expr}", version, lambda: asyncio.create_task(_read(page, expr))
    )
    # Others wait for the same reading: one who goes away does not end it.
    return await asyncio.shield(task)


async def _read(page: Page, expr: str) -> Mapping[str, float]:
    """Return the values of an expression by the ids of the targets that they belong to."""
    value = (await at_instant(page, expr, page.now)).value
    if not isinstance(value, Vector):
        return {}
    ids: Mapping[Labels, str] = page.console.kept.get(
        "ids by labels",
        page.on.targets.version,
        lambda: {entry.labels: entry.target.id for entry in page.on.targets.entries()},
    )
    found = {}
    for labels, number in zip(value.labels, value.values.tolist(), strict=True):
        target_id = ids.get(labels.drop(METRIC_NAME))
        if target_id is not None:
            found[target_id] = number
    return found
