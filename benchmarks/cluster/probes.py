"""What a probe costs with one, two and four replicas, and what a replica costs that has none."""

import asyncio
import os
from collections.abc import Sequence
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

    def probed(self) -> tuple[str, str]:
        """Return the probes a second, and those that failed or were not made."""
        return f"{self.probes / self.seconds:.0f}", f"{self.failed:.0f}, {self.missed:.0f}"

    def beside(self) -> tuple[str, ...]:
        """Return what others have to do, a second."""
        return (
            f"{self.samples / self.seconds:.0f}",
            f"{self.statements / self.seconds:.0f}",
            f"{self.database / self.seconds:.1%}",
            f"{self.engine / self.seconds:.1%}",
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """Some replicas, how many targets they have between them, what they did, their memory in MB."""

    replicas: int
    targets: int
    window: Window
    resident: tuple[float, ...]

    def cost(self, idle: float) -> float:
        """Return the CPU seconds of a probe beyond those of replicas that have none."""
        spare = idle * self.replicas * self.window.seconds
        return (self.window.cpu - spare) / self.window.probes


async def run(directory: Path, targets: int, interval: float, seconds: float) -> None:
    """Print what probes cost, `targets` for each replica, and what replicas cost without any."""
    server = Server(directory, max(os.sched_getaffinity(0)))
    rows: list[_Row] = []

    async def register(made: Cluster, first: int) -> None:
        url = f"http://127.0.0.1:{server.port}"
        await made.register({f"t{n}": f"{url}/{n}" for n in range(first, first + targets)})

    async def measure(made: Cluster, registered: int) -> None:
        await made.settled()
        await asyncio.sleep(_WARM if not registered else 2 * interval)
        window = await _window(made, seconds)
        resident = tuple(resident_megabytes(each.process.pid) for each in made.running)
        rows.append(_Row(len(made.running), registered, window, resident))

    try:
        async with cluster(paced(interval, directory), max(_COUNTS)) as made:
            await measure(made, 0)
            await register(made, 0)
            await measure(made, targets)
            await asyncio.gather(*(each.terminate() for each in made.running[1:]))
            await measure(made, targets)
            registered = targets
            for count in _COUNTS[1:]:
                new = made.replicas[len(made.running) : count]
                await asyncio.gather(*(each.start() for each in new))
                while registered < count * targets:
                    await register(made, registered)
                    registered += targets
                await measure(made, registered)
    finally:
        server.close()
    _print(rows)


def _print(rows: Sequence[_Row]) -> None:
    idle, shared, *scaled = rows
    spare = idle.window.cpu / idle.window.seconds / idle.replicas
    one = scaled[0].cost(spare)
    print_table(
        (
            *("replicas", "targets", "probes/s", "failed, missed", "CPU a probe", "without idle"),
            *("ratio to one", "samples/s sent", "statements/s", "PostgreSQL", "engine", "RSS each"),
        ),
        [
            (
                row.replicas,
                f"{row.targets:,}",
                *row.window.probed(),
                "" if not row.targets else f"{1000 * row.cost(0):.2f} ms",
                "" if not row.targets else f"{1000 * row.cost(spare):.2f} ms",
                "" if not row.targets else f"{row.cost(spare) / one:.2f}",
                *row.window.beside(),
                ", ".join(f"{each:.0f}" for each in row.resident) + " MB",
            )
            for row in (*scaled, shared, idle)
        ],
    )
    print(
        f"\nA replica without targets: {spare:.1%} of a core, "
        f"{idle.window.statements / idle.window.seconds / idle.replicas:.1f} statements a second"
    )


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
