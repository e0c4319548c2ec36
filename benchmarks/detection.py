"""From the moment a target begins to fail to the request arriving at the receiver.

Both sides watch the same target at their tightest settings and post to the
same receiver: ours in one process on one core; blackbox_exporter, Prometheus
and Alertmanager on the other. A round turns the target bad at a random moment,
waits for both messages, turns it good and waits for both to be resolved.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.peers import free_port, pinned, wait_for_http
from benchmarks.table import percentile, print_table

OURS, PEERS = "controlplane", "blackbox+Prometheus+Alertmanager"
RULES = """groups:
- name: detection
  interval: 1s
  rules:
  - alert: Down
    expr: probe_success == 0
"""


class Scene:
    """The target, the receiver, and what arrived when."""

    def __init__(self) -> None:
        self.failing = False
        self.arrived: dict[tuple[str, str], float] = {}
        self.changed = threading.Condition()
        scene = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(500 if scene.failing else 200)

            def do_POST(self) -> None:
                now = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                scene.note(self.path.strip("/"), json.loads(body)["status"], now)
                self._answer(200)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, side: str, status: str, now: float) -> None:
        with self.changed:
            self.arrived.setdefault((side, status), now)
            self.changed.notify_all()

    def wait(self, status: str, seconds: float) -> dict[str, float]:
        """Return when each side's message of a status arrived; raise TimeoutError."""
        deadline = time.monotonic() + seconds
        keys = [(side, status) for side in ("ours", "peers")]
        with self.changed:
            while not all(key in self.arrived for key in keys):
                left = deadline - time.monotonic()
                if left <= 0:
                    missing = [side for side, _ in keys if (side, status) not in self.arrived]
                    raise TimeoutError(f"no {status} message from {missing}")
                self.changed.wait(left)
            return {side: self.arrived[(side, status)] for side, _ in keys}


def start_ours(scene: Scene, home: Path, port: int) -> subprocess.Popen[bytes]:
    (home / "rules.yml").write_text(RULES)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "targets": [{"name": "bench", "url": f"http://127.0.0.1:{scene.port}/", "interval": "1s"}],
        "route": _route(),
        "receivers": _receivers(f"http://127.0.0.1:{scene.port}/ours"),
    }
    (home / "controlplane.yml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "controlplane", "serve", "--config"]
    command += [str(home / "controlplane.yml"), "--listen", f"127.0.0.1:{port}"]
    return pinned([*command, "--data-dir", str(home / "data")], {0}, home / "ours.log")


def start_peers(scene: Scene, home: Path) -> list[subprocess.Popen[bytes]]:
    blackbox, prometheus, alertmanager = free_port(), free_port(), free_port()
    (home / "blackbox.yml").write_text("modules:\n  http_2xx: {prober: http, timeout: 1s}\n")
    (home / "peers.rules.yml").write_text(RULES)
    job = {
        "job_name": "probe",
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"], "target": [f"http://127.0.0.1:{scene.port}/"]},
        "static_configs": [{"targets": [f"127.0.0.1:{blackbox}"]}],
    }
    prom = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["peers.rules.yml"],
        "scrape_configs": [job],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
        },
    }
    (home / "prometheus.yml").write_text(json.dumps(prom))
    routing = {
        "route": _route(),
        "receivers": _receivers(f"http://127.0.0.1:{scene.port}/peers"),
    }
    (home / "alertmanager.yml").write_text(json.dumps(routing))
    started = [
        pinned(
            ["prometheus-blackbox-exporter", f"--config.file={home}/blackbox.yml",
             f"--web.listen-address=127.0.0.1:{blackbox}"], {1}, home / "blackbox.log"),
        pinned(
            ["prometheus-alertmanager", f"--config.file={home}/alertmanager.yml",
             f"--storage.path={home}/am", f"--web.listen-address=127.0.0.1:{alertmanager}",
             "--cluster.listen-address="], {1}, home / "alertmanager.log"),
        pinned(
            ["prometheus", f"--config.file={home}/prometheus.yml",
             f"--storage.tsdb.path={home}/prom", f"--web.listen-address=127.0.0.1:{prometheus}",
             "--rules.alert.resend-delay=1s"], {1}, home / "prometheus.log"),
    ]  # fmt: skip
    wait_for_http(f"http://127.0.0.1:{prometheus}/-/ready")
    wait_for_http(f"http://127.0.0.1:{alertmanager}/-/ready")
    return started


def run(rounds: int, seed: int) -> dict[str, list[float]]:
    """Return the seconds each side took, a list of one entry a round."""
    scene, chance = Scene(), random.Random(seed)
    home = Path(tempfile.mkdtemp(prefix="detection-"))
    port = free_port()
    processes = [start_ours(scene, home, port)]
    took: dict[str, list[float]] = {"ours": [], "peers": []}
    try:
        processes += start_peers(scene, home)
        wait_for_http(f"http://127.0.0.1:{port}/ready")
        time.sleep(5)
        for _ in range(rounds):
            time.sleep(2 + chance.random())
            scene.arrived.clear()
            begin = time.monotonic()
            scene.failing = True
            for side, at in scene.wait("firing", 20).items():
                took[side].append(at - begin)
            scene.failing = False
            scene.wait("resolved", 30)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
    return took


def _route() -> dict[str, object]:
    times = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    return {"receiver": "hook", "group_by": ["alertname"], **times}


def _receivers(url: str) -> list[dict[str, object]]:
    return [{"name": "hook", "webhook_configs": [{"url": url, "send_resolved": True}]}]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    os.sched_setaffinity(0, {0, 1})
    took = run(args.rounds, args.seed)
    rows = []
    for name, side in ((OURS, "ours"), (PEERS, "peers")):
        seconds = took[side]
        rows.append([name, *(f"{percentile(seconds, p):.3f}" for p in (0, 50, 95, 99, 100))])
    ratio = percentile(took["peers"], 50) / percentile(took["ours"], 50)
    print_table(["seconds", "min", "median", "p95", "p99", "max"], rows)
    print(f"median: {ratio:.2f} times sooner, {args.rounds} rounds")
    return 0
