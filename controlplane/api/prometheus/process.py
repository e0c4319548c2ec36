"""`status/*` of the process and its store, `scrape_pools`, `alertmanagers`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from fastapi import APIRouter

from controlplane.api.prometheus.encode import Json, success
from controlplane.api.prometheus.parameters import Given
from controlplane.api.surface import On, Surface
from controlplane.clock import Timestamp
from controlplane.errors import InvalidInput
from controlplane.model.duration import HOUR, format_time
from controlplane.tsdb.ports import Querier

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


_MOST_ROWS: Final = 10_000
# Longer ago than the store may reach back.
_EVER: Final = 200_000 * HOUR


@router.get("/status/config")
async def config(on: On) -> Json:
    """Return the configuration in force; secrets are struck out."""
    return success({"yaml": on.configuration()})


@router.get("/status/flags")
async def flags(on: On) -> Json:
    """Return what was set at the start, under Prometheus' names."""
    return success(dict(on.flags))


@router.get("/status/runtimeinfo")
async def runtime_info(on: On) -> Json:
    """Return what the process is."""
    values = await on.queries.run(lambda: _own_values(on))
    return success(
        {
            "startTime": _instant(values["process_start_time_seconds"]),
            "CWD": str(Path.cwd()),
            "hostname": on.flags["replica"],
            "serverTime": format_time(on.clock.now()),
            "reloadConfigSuccess": values["controlplane_config_last_reload_successful"] == 1,
            "lastConfigTime": _instant(
                values["controlplane_config_last_reload_success_timestamp_seconds"]
            ),
            "corruptionCount": int(values["controlplane_tsdb_wal_corruptions_total"]),
            # Go's numbers: nothing of ours is what they count.
            "goroutineCount": 0,
            "GOMAXPROCS": 1,
            "GOMEMLIMIT": 0,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": on.flags["storage.tsdb.retention.time"],
        }
    )


@router.get("/status/tsdb")
async def tsdb(given: Given, on: On) -> Json:
    """Return where the store's series come from: the largest names, labels and pairs."""
    limit = given.count("limit") if given.text("limit") else 10
    if not 1 <= limit <= _MOST_ROWS:
        raise InvalidInput(f"limit must be between 1 and {_MOST_ROWS}", pointer="?limit")
    now = on.clock.now()
    return success(await on.queries.run(lambda: cardinality(on.store.querier(), limit, now)))


@router.get("/status/walreplay")
async def wal_replay() -> Json:
    """Tell that the log is read back: nothing is answered before."""
    return success({"min": 0, "max": 0, "current": 0, "state": "done"})


@router.get("/alertmanagers")
async def alertmanagers() -> Json:
    """Return no other Alertmanager: alerts are routed here."""
    return success({"activeAlertmanagers": [], "droppedAlertmanagers": []})


@router.get("/scrape_pools")
async def scrape_pools(on: On) -> Json:
    """Return the names of scrape configurations with targets."""
    names = {each.job.config.job_name for each in on.scrapes()}
    return success({"scrapePools": sorted(names)})


def cardinality(querier: Querier, limit: int, now: Timestamp) -> Json:
    """Return the `limit` greatest counts of each kind."""
    refs = querier.select([])
    names: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for labels in querier.labels(refs):
        names[labels.name] += 1
        pairs.update(labels.pairs)
    values: Counter[str] = Counter(name for name, _ in pairs)
    memory: Counter[str] = Counter()
    for (name, value), number in pairs.items():
        memory[name] += number * len(value.encode())
    course = querier.counters(refs, np.array([now], dtype=np.int64), _EVER)
    there = course.count > 0
    first, last = course.first_times[there], course.last_times[there]
    return {
        "headStats": {
            "numSeries": len(refs),
            "numLabelPairs": len(pairs),
            # Samples are not kept in chunks.
            "chunkCount": 0,
            "minTime": int(first.min()) if len(first) else 0,
            "maxTime": int(last.max()) if len(last) else 0,
        },
        "seriesCountByMetricName": _rows(names.most_common(limit)),
        "labelValueCountByLabelName": _rows(values.most_common(limit)),
        "memoryInBytesByLabelName": _rows(memory.most_common(limit)),
        "seriesCountByLabelValuePair": _rows(
            [(f"{name}={value}", count) for (name, value), count in pairs.most_common(limit)]
        ),
    }


def _rows(counts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "value": count} for name, count in counts]


def _own_values(on: Surface) -> dict[str, float]:
    """Return our own metrics that have no labels."""
    return {
        sample.name: sample.value
        for family in on.registry.collect()
        for sample in family.samples
        if not sample.labels
    }


def _instant(seconds: float) -> str:
    return format_time(round(seconds * 1000))
