"""How small samples are in blocks, how fast they are written and read.

    python -m benchmarks tsdb_blocks [--series 20000]

Writes two hours at 15 s of different kinds of series into a block each, 200
targets with a few milliseconds of jitter. Prints bytes a sample (all of the
block, and its pages alone), and samples a CPU second written, and read back
cold (nothing decoded yet) and warm.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from controlplane.model.labels import Labels
from controlplane.tsdb.blocks.block import Block
from controlplane.tsdb.blocks.cache import PageCache
from controlplane.tsdb.blocks.writing import Origin, write_block
from controlplane.tsdb.runs import Samples

HOUR = 3_600_000
START = 236_111 * 2 * HOUR
TICKS = 480
TARGETS = 200

Table = npt.NDArray[np.float64]


class Table2D:
    """Series as rows of a table; each target has its own instants."""

    def __init__(self, values: Table) -> None:
        self.values = values
        random = np.random.default_rng(2)
        phases = random.integers(0, 14_000, (TARGETS, 1))
        ticks = START + np.arange(TICKS) * 15_000
        self.times = ticks + phases + random.integers(0, 5, (TARGETS, TICKS))

    def __len__(self) -> int:
        return len(self.values)

    def labels(self, begin: int, end: int) -> Sequence[Labels]:
        return [
            Labels(
                {
                    "__name__": f"metric_{number // TARGETS}_total",
                    "instance": f"host-{number % TARGETS:03d}:9100",
                    "job": "node",
                    "number": str(number),
                }
            )
            for number in range(begin, end)
        ]

    def read(self, begin: int, end: int) -> Samples:
        times = self.times[np.arange(begin, end) % TARGETS]
        offsets = np.arange(end - begin + 1) * TICKS
        return Samples(self.values[begin:end].reshape(-1), times.reshape(-1), offsets)

    def histograms(self, numbers: Sequence[int]) -> Sequence[bytes]:
        del numbers
        return ()


def kinds(series: int) -> dict[str, Table]:
    """Return tables of values, (series, TICKS), by what they are like."""
    random = np.random.default_rng(1)
    shape = (series, TICKS)
    rates = random.uniform(0, 300, (series, 1))
    return {
        "counters of requests": random.poisson(rates, shape).cumsum(axis=1).astype(np.float64),
        "counters that hardly move": (random.random(shape) < 0.02).cumsum(axis=1).astype(float),
        "counters of seconds, 2 digits": np.round(random.uniform(0, 15, shape).cumsum(axis=1), 2),
        "gauges of bytes, 4 KiB steps": random.integers(-50, 50, shape).cumsum(axis=1) * 4096.0,
        "latencies to the microsecond": np.round(random.lognormal(-3, 0.3, shape), 6),
        "floats of full precision": random.random(shape),
        "up": np.ones(shape),
    }


def measure(name: str, values: Table) -> None:
    source, size = Table2D(values), values.size
    with tempfile.TemporaryDirectory() as directory:
        wrote = cpu(lambda: write_block(Path(directory), Origin(START, START + 2 * HOUR), source))
        (path,) = Path(directory).iterdir()
        rows = np.arange(len(values))
        cold = min(cpu(lambda: read(Block(path, PageCache(0)), rows)) for _ in range(3))
        block = Block(path, PageCache(1 << 32))
        read(block, rows)
        warm = min(cpu(lambda: read(block, rows)) for _ in range(3))
        print(
            f"{name:30} {block.nbytes / size:6.2f} B ({block.meta.chunk_bytes / size:5.2f}) "
            f"{size / wrote / 1e6:6.1f} M/s written, {size / cold / 1e6:6.1f} M/s cold, "
            f"{size / warm / 1e6:6.1f} M/s warm",
            flush=True,
        )


def read(block: Block, rows: npt.NDArray[np.int64]) -> None:
    """Read all samples, some series at a time, as queries do."""
    for begin in range(0, len(rows), 4096):
        block.read(rows[begin : begin + 4096], START - 1, START + 3 * HOUR)


def cpu(call: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks tsdb_blocks", description=__doc__)
    parser.add_argument("--series", type=int, default=20_000)
    given = parser.parse_args(arguments)
    for name, values in kinds(given.series).items():
        measure(name, values)
    return 0
