"""Coarse jobs: each run counted, one that fails is run again at its next time."""

import asyncio

from prometheus_client import CollectorRegistry

from controlplane.app.scheduling import Jobs
from tests.support.clock import ManualClock


async def test_runs_are_counted_by_their_result() -> None:
    """A job that fails at first is run again, and both results are counted."""
    registry, runs, well = CollectorRegistry(), 0, asyncio.Event()
    jobs = Jobs(ManualClock(), registry)

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("the first time")
        well.set()

    jobs.every(20, "trim", work)
    jobs.start()
    async with asyncio.timeout(10):
        await well.wait()
        while _runs(registry, "success") == 0:
            await asyncio.wait([asyncio.create_task(well.wait())], timeout=0.01)
            await asyncio.to_thread(lambda: None)
    jobs.stop()
    assert _runs(registry, "failure") == 1


def _runs(registry: CollectorRegistry, result: str) -> float:
    labels = {"job": "trim", "result": result}
    return registry.get_sample_value("controlplane_job_runs_total", labels) or 0
