"""The parts that both probe benchmarks stand on: a target server, and our prober alone."""

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from benchmarks.peers import free_port, pinned, wait_for_http
from controlplane.clock import SystemClock, Timestamp
from controlplane.model.labels import Labels
from controlplane.probes.job import ProbeJob
from controlplane.probes.metrics import LatenessHistogram, ProbeMetrics
from controlplane.probes.options import HTTPProbe, Module
from controlplane.probes.outcome import Outcome
from controlplane.probes.prober import Tools
from controlplane.probes.schedule import Schedule
from controlplane.probes.table import PROBERS
from controlplane.transport.client import Client
from controlplane.transport.engine import Engine
from controlplane.transport.policy import OutboundPolicy
from controlplane.transport.process import tune_interpreter
from controlplane.transport.resolver import StubResolver
from controlplane.tsdb.options import StoreOptions
from controlplane.tsdb.store import Store

_NGINX = """
worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.err crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=8192; location / {{ return 200 "ok\\n"; }} }}
}}
"""


class Server:
    """nginx on one core, answering everything with 200."""

    def __init__(self, directory: Path, core: int) -> None:
        self.port = free_port()
        path = directory / "nginx.conf"
        path.write_text(_NGINX.format(directory=directory, port=self.port))
        command = ["nginx", "-c", str(path), "-p", str(directory)]
        self._process = pinned(command, {core}, directory / "nginx.log")
        wait_for_http(f"http://127.0.0.1:{self.port}/", 10.0)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Load:
    """What our prober is given to do; `targets` are (URL, how many) pairs, the first answer."""

    targets: Sequence[tuple[str, int]]
    interval: int  # milliseconds
    timeout: int
    warm_up: float  # seconds before the counting begins
    seconds: float
    name_server: int | None = None  # a port on loopback, in place of resolv.conf
    registering: float = 0.0  # seconds over which the targets come in, of the warm-up


@dataclass(frozen=True, slots=True)
class Measured:
    """What it did in the seconds that count, and how late it was in those before."""

    probes: int
    failed: int
    failed_answering: int  # of those that should not have failed, all the time
    missed: int
    cpu_seconds: float
    seconds: float
    lateness: list[float]
    missed_at_first: int
    lateness_at_first: list[float]
    resident_megabytes: float


def measure(load: Load, core: int) -> Measured:
    """Run our prober in a process of its own on one core."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "prober.log"
        request = Path(directory) / "load.json"
        request.write_text(json.dumps(asdict(load)))
        command = [sys.executable, "-m", "benchmarks.probe_rig", str(request), directory]
        process = pinned(command, {core}, log)
        code = process.wait(load.warm_up + load.seconds + 60)
        if code != 0:
            raise RuntimeError(log.read_text())
        return Measured(**json.loads((Path(directory) / "measured.json").read_text()))


class _Lateness(LatenessHistogram):
    """Keeps every value."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.values: list[float] = []

    def observe(self, seconds: float) -> None:
        self.values.append(seconds)


async def _work(load: Load, directory: Path) -> Measured:
    clock = SystemClock()
    registry = CollectorRegistry()
    store = Store.open(directory / "data", StoreOptions(), clock, registry)
    engine, policy = Engine(clock), OutboundPolicy()
    engine.start()
    servers = None if load.name_server is None else [("127.0.0.1", load.name_server)]
    resolver = StubResolver(clock, servers=servers)
    tools = Tools(Client(engine, resolver, policy, clock), resolver, policy, clock)
    metrics = ProbeMetrics(registry)

    answering, unexpected = load.targets[0][0].partition("{")[0], [0]

    def evidence(target_id: str, time: Timestamp, outcome: Outcome) -> None:
        del time, outcome
        unexpected[0] += target_id.startswith(answering)

    schedule = Schedule(tools, PROBERS, store, metrics, evidence)
    metrics.lateness = lateness = _Lateness()
    tune_interpreter()
    jobs = _jobs(load)
    if not load.registering:
        for job in jobs:
            schedule.put(job)
    running = asyncio.create_task(schedule.run())
    begun = clock.monotonic()
    for number, job in enumerate(jobs if load.registering else ()):
        if not number % 50:
            due = begun + load.registering * number / len(jobs)
            await clock.sleep(due - clock.monotonic())
        schedule.put(job)
    await clock.sleep(begun + load.warm_up - clock.monotonic())
    at_first, lateness.values = lateness.values, []
    before = _counted(registry)
    cpu, started = time.process_time(), time.monotonic()
    await clock.sleep(load.seconds)
    cpu, seconds = time.process_time() - cpu, time.monotonic() - started
    after = _counted(registry)
    running.cancel()
    await engine.close()
    await resolver.close()
    await store.close()
    ended, failed, missed = (new - old for new, old in zip(after, before, strict=True))
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Measured(
        ended,
        failed,
        unexpected[0],
        missed,
        cpu,
        seconds,
        [round(value, 4) for value in lateness.values],
        before[2],
        [round(value, 4) for value in at_first],
        resident,
    )


def _jobs(load: Load) -> list[ProbeJob]:
    module = Module("http", load.timeout, HTTPProbe(preferred_ip_protocol="ip4"))
    targets = [url.format(number) for url, count in load.targets for number in range(count)]
    return [
        ProbeJob(
            target, target, Labels({"job": "bench", "instance": target}), module, load.interval
        )
        for target in targets
    ]


def _counted(registry: CollectorRegistry) -> tuple[int, int, int]:
    def total(name: str, label: str, values: Sequence[str]) -> int:
        return int(sum(registry.get_sample_value(name, {label: value}) or 0 for value in values))

    probes = "controlplane_probes_total"
    return (
        total(probes, "result", ("success", "failure")),
        total(probes, "result", ("failure",)),
        total("controlplane_probe_ticks_missed_total", "cause", ("late", "running")),
    )


def _main() -> None:
    request, directory = Path(sys.argv[1]), Path(sys.argv[2])
    measured = uvloop.run(_work(Load(**json.loads(request.read_text())), directory))
    (directory / "measured.json").write_text(json.dumps(asdict(measured)))
    sys.stdout.flush()
    os._exit(0)  # the store's and libcurl's threads have been stopped, nothing is left to do


if __name__ == "__main__":
    _main()
