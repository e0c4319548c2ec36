"""How late readers at two replicas hear of what happens at one of them."""

from pathlib import Path

from benchmarks.cluster.world import cluster, paced
from benchmarks.peers import cpu_seconds
from benchmarks.stream import at, measured
from benchmarks.table import print_table

_EVERY = 0.2  # seconds between two events


async def run(directory: Path, readers: int, events: int) -> None:
    """Print the lags at those who read where it happens, and where it does not."""
    async with cluster(paced(60, directory), 2) as made:
        spent = [cpu_seconds(each.process.pid) for each in made.running]
        lags = await measured(made.listens, readers, events, _EVERY)
        spent = [
            cpu_seconds(each.process.pid) - before
            for each, before in zip(made.running, spent, strict=True)
        ]
        print_table(
            ("readers", "events", "heard", "lag p50", "p99", "worst", "CPU an event, each"),
            [
                (
                    f"{readers:,} at 2 replicas",
                    events,
                    f"{len(lags) / readers / events:.1%}",
                    *(f"{at(lags, share) * 1000:.0f} ms" for share in (0.5, 0.99, 1.0)),
                    " and ".join(f"{1000 * each / events:.0f} ms" for each in spent),
                )
            ],
        )
