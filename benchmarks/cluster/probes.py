"""What a probe costs with one, two and four replicas, and what a replica costs that has none."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cluster.world import Cluster, cluster, paced, total
from benchmarks.peers import cpu_seconds, resident_megabytes
from benchmarks.probe_rig import Server
from benchmarks.table import print_table

_COUNTS: Final = (1, 2, 4)
# At its start a replica looks through the hours of a new database.
_WARM: Final = 12.0


@dataclass(frozen=True, slots=True)
class Window:
    """What all replicas did in some seconds."""

    seconds: float
    cpu: float
    database: float
    engine: float
    statements: float
    probes: float
    failed: float
    missed: float
    samples: float

    def less(self, other: "Window") -> "Window":
        """Return what lies between an earlier look and this one."""
        return Window(
            *(getattr(self, name) - getattr(other, name) for name in Window.__annotations__)
        )


async def run(directory: Path, targets: int, interval: float, seconds: float) -> None:
    """Print what probes cost, and what replicas without any."""
    server = Server(directory, max(os.sched_getaffinity(0)))
    url = f"http://127.0.0.1:{server.port}"
    probing: dict[int, Window] = {}
    idle: dict[int, Window] = {}
    try:
        async with cluster(paced(interval, directory), max(_COUNTS)) as made:
            await asyncio.sleep(_WARM)
            idle[max(_COUNTS)] = await _window(made, seconds)
            await asyncio.gather(*(each.terminate() for each in made.running[1:]))
            await made.settled()
            await asyncio.sleep(2)
            idle[1] = await _window(made, seconds)
            pid = made.running[0].process.pid
            empty = resident_megabytes(pid)
            await made.register({f"t{n}": f"{url}/{n}" for n in range(targets)})
            filled = 0.0
            for count in _COUNTS:
                new = made.replicas[len(made.running) : count]
                await asyncio.gather(*(each.start() for each in new))
                await made.settled()
                await asyncio.sleep(2 * interval)
                probing[count] = await _window(made, seconds)
                filled = filled or resident_megabytes(pid)
    finally:
        server.close()
    _print_probes(probing, idle)
    print()
    _print_idle(idle)
    print(
        f"\nMemory: {empty:.0f} MB without targets, {filled:.0f} MB with {targets:,}, all probed: "
        f"{1000 * (filled - empty) / targets:.0f} MB for 1,000"
    )


def _print_probes(probing: Mapping[int, Window], idle: Mapping[int, Window]) -> None:
    each = {count: window.cpu / window.seconds / count for count, window in idle.items()}
    net = {
        count: _net(window, count * each.get(count, each[max(each)]))
        for count, window in probing.items()
    }
    head = "replicas", "probes/s", "failed, missed", "CPU a probe", "without idle", "ratio"
    print_table(
        (*head, "samples/s sent", "statements/s", "PostgreSQL", "engine"),
        [
            (
                count,
                f"{window.probes / window.seconds:.0f}",
                f"{window.failed:.0f}, {window.missed:.0f}",
                f"{1000 * window.cpu / window.probes:.2f} ms",
                f"{1000 * net[count]:.2f} ms",
                f"{net[count] / net[1]:.2f}",
                f"{window.samples / window.seconds:.0f}",
                f"{window.statements / window.seconds:.1f}",
                f"{window.database / window.seconds:.1%}",
                f"{window.engine / window.seconds:.1%}",
            )
            for count, window in probing.items()
        ],
    )


def _print_idle(idle: Mapping[int, Window]) -> None:
    print_table(
        ("replicas, no targets", "of a core, each", "statements/s, each", "PostgreSQL"),
        [
            (
                count,
                f"{window.cpu / window.seconds / count:.1%}",
                f"{window.statements / window.seconds / count:.1f}",
                f"{window.database / window.seconds:.1%}",
            )
            for count, window in sorted(idle.items())
        ],
    )


def _net(window: Window, idle: float) -> float:
    """Return the CPU seconds of a probe beyond those of replicas that have none."""
    return (window.cpu - idle * window.seconds) / window.probes


async def _window(made: Cluster, seconds: float) -> Window:
    before = await _look(made)
    await asyncio.sleep(seconds)
    return (await _look(made)).less(before)


async def _look(made: Cluster) -> Window:
    running = made.running
    probes = await total(running, "controlplane_probes_total")
    missed = await total(running, "controlplane_probe_ticks_missed_total")
    samples = await total(running, "controlplane_remote_write_samples_total")
    failed = await total(running, "controlplane_probes_total", '{result="failure"}')
    return Window(
        asyncio.get_running_loop().time(),
        made.cpu(),
        _family_cpu(made.postgres.pid),
        cpu_seconds(made.engine.pid),
        await made.statements(),
        probes,
        failed,
        missed,
        samples,
    )


def _family_cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its children, those that ended too."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if stat.parent.name == str(pid):
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
