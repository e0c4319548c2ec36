"""Samples for two engines to agree on: counters that restart, gauges with gaps, histograms."""

import math
import random
from collections.abc import Iterator
from typing import Final

from tests.support.remote_write import Series, encoded_samples, stale_sample

# Samples stand a quarter of a second behind whole ones: neither queries at half seconds nor
# the whole ones at which subqueries step meet any of them.
START: Final = 1_700_000_000_250
STEP: Final = 15_000
COUNT: Final = 160
END: Final = START + COUNT * STEP

JOBS: Final = ("api", "web")
INSTANCES: Final = ("a:1", "b:1", "c:1")
BOUNDS: Final = ("0.1", "0.5", "1", "5", "+Inf")


def series() -> list[Series]:
    """Return the same series at every call."""
    draw = random.Random(7)
    return [*_counters(draw), *_gauges(draw), *_histograms(draw), *_constants()]


def raw() -> dict[str, list[bytes]]:
    """Return encoded samples of `ends`, a series that goes stale and comes back."""
    instants = [START + k * STEP for k in range(COUNT)]
    plain = encoded_samples([(time, float(k)) for k, time in enumerate(instants)])
    gone = range(60, 90)
    marked = [stale_sample(instants[60]) if k == 60 else each for k, each in enumerate(plain)]
    return {"ends": [each for k, each in enumerate(marked) if k not in gone or k == 60]}


def _times(draw: random.Random, gaps: float) -> list[int]:
    """Return the instants of one target, jittered by seconds, some of them missing."""
    shift = draw.randrange(15) * 1000
    return [START + k * STEP + shift for k in range(COUNT) if draw.random() >= gaps]


def _counters(draw: random.Random) -> Iterator[Series]:
    for job in JOBS:
        for instance in INSTANCES:
            for code in ("200", "500"):
                labels = {"__name__": "requests_total", "job": job, "instance": instance}
                value, samples = draw.random() * 100, []
                for time in _times(draw, 0.05):
                    value = 0.0 if draw.random() < 0.02 else value + draw.randrange(50)
                    samples.append((time, value))
                yield {**labels, "code": code}, samples


def _gauges(draw: random.Random) -> Iterator[Series]:
    for job in JOBS:
        for instance in INSTANCES[: 3 if job == "api" else 2]:
            samples = [(time, draw.uniform(-100, 100)) for time in _times(draw, 0.1)]
            if (job, instance) == ("web", "b:1"):
                samples = [
                    (time, math.nan if k % 9 == 4 else value)
                    for k, (time, value) in enumerate(samples)
                ]
            # A silence longer than the lookback.
            kept = [
                s for s in samples if instance != "b:1" or not 40 <= (s[0] - START) // STEP < 65
            ]
            yield {"__name__": "memory", "job": job, "instance": instance}, kept


def _histograms(draw: random.Random) -> Iterator[Series]:
    for job in JOBS:
        times = _times(draw, 0.0)
        counts = [[0.0] * len(BOUNDS)]
        for _ in times[1:]:
            added = sorted(draw.randrange(20) for _ in BOUNDS)
            counts.append([a + b for a, b in zip(counts[-1], added, strict=True)])
        for place, bound in enumerate(BOUNDS):
            samples = [(time, row[place]) for time, row in zip(times, counts, strict=True)]
            yield {"__name__": "latency_bucket", "job": job, "le": bound}, samples


def _constants() -> Iterator[Series]:
    instants = [START + k * STEP for k in range(COUNT)]
    for number, job in enumerate(JOBS):
        labels = {"__name__": "limits", "job": job, "team": f"t{number}"}
        yield labels, [(time, 10.0 + number) for time in instants]
        for instance in INSTANCES:
            down = [(time, float((k // 20 + number) % 3 > 0)) for k, time in enumerate(instants)]
            yield {"__name__": "up", "job": job, "instance": instance}, down
