"""A process killed at any moment has lost nothing that a query had shown."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from controlplane.clock import SystemClock
from controlplane.errors import Conflict
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.store import Store

ROOT = Path(__file__).parents[3]


@contextmanager
def started(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the writing process, wait until it writes, and leave none behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.tsdb.crashing", str(directory), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def killed_after(process: subprocess.Popen[str], lines: int) -> int:
    """Read so many lines, kill the process, and return the newest instant it had shown."""
    assert process.stdout is not None
    shown = [int(process.stdout.readline()) for _ in range(lines)]
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().splitlines(keepends=True)
    process.wait()
    shown += [int(line) for line in rest if line.endswith("\n")]
    return max(shown)


def opened(directory: Path) -> Store:
    return Store.open(directory, StoreOptions(), SystemClock(), CollectorRegistry())


def test_nothing_that_a_query_had_shown_is_lost(tmp_path: Path) -> None:
    """Over several kills at random moments each series has every tick, without a gap."""
    chance = random.Random(20)
    shown = 0
    for _ in range(5):
        with started(tmp_path) as process:
            with pytest.raises(Conflict, match=f"process {process.pid}"):
                opened(tmp_path)
            shown = max(shown, killed_after(process, chance.randint(1, 200)))
        store = opened(tmp_path)
        querier = store.querier()
        refs = querier.select([])
        window = querier.window(refs, 0, 2**45)
        store.stop()
        assert len(refs) == 50
        for place in range(len(refs)):
            times = window.times[window.offsets[place] : window.offsets[place + 1]]
            assert times[-1] >= shown
            assert (np.diff(times) == 1000).all()
            assert times.astype(float).tolist() == (
                window.values[window.offsets[place] : window.offsets[place + 1]].tolist()
            )


def test_a_file_that_may_not_grow_stops_nothing(tmp_path: Path) -> None:
    """Where the kernel refuses to write more, samples stay visible in memory."""
    with started(tmp_path, "6000") as process:
        shown = killed_after(process, 800)
    store = opened(tmp_path)
    querier = store.querier()
    window = querier.window(querier.select([]), 0, 2**45)
    store.stop()
    assert len(window.times) > 0
    assert int(window.times.max()) < shown
