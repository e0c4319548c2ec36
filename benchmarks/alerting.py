"""From the first POST until all of 10,000 alerts have arrived, beside Alertmanager.

Both sides read the same configuration file, take the same alerts by their v2
API over one connection, and tell the same webhook. Each runs alone on one core;
who posts and who receives share the other. A round is a fresh process with an
empty directory. Ours writes alerts, messages, attempts and decisions to SQLite;
Alertmanager keeps all of it in memory.
"""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from benchmarks.peers import cpu_seconds, free_port, peak_megabytes, pinned, wait_for_http
from benchmarks.table import print_table

OURS, PEER = "controlplane", "Alertmanager"
# What is still written after the last message has arrived counts too.
_SETTLING = 3.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is posted, and how long groups wait."""

    alerts: int
    groups: int
    batch: int
    group_wait: str
    group_interval: str

    def bodies(self) -> list[bytes]:
        """Return the bodies to post: each tells of many groups, as a storm does."""
        alerts = [_alert(number, number % self.groups) for number in range(self.alerts)]
        starts = range(0, self.alerts, self.batch)
        return [json.dumps(alerts[start : start + self.batch]).encode() for start in starts]

    def config(self, url: str) -> dict[str, object]:
        route = {
            "receiver": "hook",
            "group_by": ["alertname", "rack"],
            "group_wait": self.group_wait,
            "group_interval": self.group_interval,
            "repeat_interval": "4h",
        }
        return {
            "route": route,
            "receivers": [{"name": "hook", "webhook_configs": [{"url": url}]}],
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round of one side took."""

    posted: float  # seconds until the last POST was answered
    delivered: float  # seconds until every alert had arrived
    cpu: float
    megabytes: float
    requests: int


class Receiver:
    """A webhook that knows which alerts have arrived."""

    def __init__(self) -> None:
        self.instances: set[str] = set()
        self.requests = 0
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.take(json.loads(body))

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, told: dict[str, list[dict[str, dict[str, str]]]]) -> None:
        names = [alert["labels"]["instance"] for alert in told["alerts"]]
        with self.changed:
            self.requests += 1
            self.instances.update(names)
            self.changed.notify_all()

    def wait(self, alerts: int, seconds: float) -> None:
        """Return once so many alerts have arrived; raise TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.instances) >= alerts, seconds):
                raise TimeoutError(f"{len(self.instances)} of {alerts} alerts have arrived")


def _alert(number: int, group: int) -> dict[str, object]:
    instance = f"node-{number:05d}.example:9100"
    return {
        "labels": {
            "alertname": "InstanceDown",
            "rack": f"r{group:03d}",
            "instance": instance,
            "job": "node",
            "severity": "critical",
            "cluster": "eu-1",
        },
        "annotations": {
            "summary": f"{instance} of rack r{group:03d} is down",
            "description": f"{instance} has not answered for more than five minutes.",
            "runbook_url": "https://runbooks.example/instance-down",
        },
        "generatorURL": "http://prometheus.example/graph?g0.expr=up+%3D%3D+0",
    }


@contextmanager
def side(name: str, home: Path) -> Iterator[tuple[int, int, str]]:
    """Run one of the two on core 0; yield its process id, its port and its API's prefix."""
    port, file = free_port(), home / "alertmanager.yml"
    address = f"127.0.0.1:{port}"
    if name == OURS:
        command = [sys.executable, "-m", "controlplane", "serve", "--config", str(file)]
        command += ["--listen", address, "--data-dir", str(home / "data")]
        ready, prefix = "/ready", "/alertmanager"
    else:
        command = ["prometheus-alertmanager", f"--config.file={file}"]
        command += [f"--storage.path={home}/data", f"--web.listen-address={address}"]
        command += ["--cluster.listen-address="]
        ready, prefix = "/-/ready", ""
    process: subprocess.Popen[bytes] = pinned(command, {0}, home / "log")
    try:
        wait_for_http(f"http://{address}{ready}")
        time.sleep(1)
        yield process.pid, port, prefix
    finally:
        process.kill()
        process.wait()


def once(name: str, load: Load, bodies: Sequence[bytes]) -> Outcome:
    """Run one round of one side."""
    receiver, home = Receiver(), Path(tempfile.mkdtemp(prefix="alerting-"))
    (home / "alertmanager.yml").write_text(json.dumps(load.config(receiver.url)))
    try:
        with side(name, home) as (pid, port, prefix):
            before, begin = cpu_seconds(pid), time.monotonic()
            post(port, f"{prefix}/api/v2/alerts", bodies)
            posted = time.monotonic() - begin
            receiver.wait(load.alerts, 120)
            delivered = time.monotonic() - begin
            time.sleep(_SETTLING)
            cpu, megabytes = cpu_seconds(pid) - before, peak_megabytes(pid)
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        shutil.rmtree(home, ignore_errors=True)
    return Outcome(posted, delivered, cpu, megabytes, receiver.requests)


def post(port: int, path: str, bodies: Sequence[bytes]) -> None:
    """Post one body after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for body in bodies:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {text[:200]!r}")
    connection.close()


def _row(name: str, outcomes: Sequence[Outcome]) -> list[object]:
    delivered = [outcome.delivered for outcome in outcomes]
    return [
        name,
        f"{median(outcome.posted for outcome in outcomes):.2f} s",
        f"{median(delivered):.2f} s",
        f"{min(delivered):.2f} to {max(delivered):.2f}",
        f"{median(outcome.cpu for outcome in outcomes):.2f} s",
        f"{median(outcome.megabytes for outcome in outcomes):.0f} MB",
        f"{median(outcome.requests for outcome in outcomes):.0f}",
    ]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--batch", type=int, default=100, help="alerts in one POST")
    parser.add_argument("--group-wait", default="5s")
    parser.add_argument("--group-interval", default="10s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=(OURS, PEER))
    args = parser.parse_args(argv)
    os.sched_setaffinity(0, {1})
    load = Load(args.alerts, args.groups, args.batch, args.group_wait, args.group_interval)
    bodies = load.bodies()
    names = [args.only] if args.only else [OURS, PEER]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            outcomes[name].append(once(name, load, bodies))
    head = ["", "all posted", "all delivered", "of the rounds", "CPU", "peak RSS", "requests"]
    print_table(head, [_row(name, outcomes[name]) for name in names])
    load_now = os.getloadavg()[0]
    print(
        f"{args.alerts:,} alerts in {args.groups} groups, {args.batch} in a POST, group_wait"
        f" {args.group_wait}, group_interval {args.group_interval}; medians of {args.rounds}"
        f" rounds; load {load_now:.1f}"
    )
    return 0
