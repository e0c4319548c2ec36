"""Scraping beside Prometheus: the same bodies come to the same series, or to `up 0`.

The Debian package is version 2.42, so cases leave out what 3.x changed since:
quoted names, and bounds of buckets written one way.
"""

import asyncio
import json
import shutil
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, ClassVar

import pytest

from controlplane.clock import SystemClock
from controlplane.model.labels import Labels
from controlplane.scrape.discovery import TargetGroup
from controlplane.scrape.options import ScrapeConfig
from controlplane.scrape.ports import Fetched
from controlplane.scrape.scraper import TargetScraper
from controlplane.scrape.targets import targets_of
from tests.support.clock import ManualClock
from tests.unit.scrape.recorder import Recorder, Target, surroundings

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")

TEXT_TYPE = "text/plain; version=0.0.4"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0"
CASES: list[tuple[str, str]] = [
    ('a 1\nb{x="y"} 2.5e3\n', TEXT_TYPE),
    ("a 1\nb x\n", TEXT_TYPE),
    ("a 1\na 2\n", TEXT_TYPE),
    ('a{job="x",instance="y",exported_job="z"} 1\n', TEXT_TYPE),
    ('a{x="",y="\\"q\\\\ \\n"} 1\n', TEXT_TYPE),
    ("# TYPE a gadget\na 1\n", TEXT_TYPE),
    ("# HELP\n# HELP a\n# TYPE a counter\n\n  \na\t1\n", TEXT_TYPE),
    ("a +Inf\nb -Inf\nc 0.1e-5\n", TEXT_TYPE),
    ("a 1_000\n", TEXT_TYPE),
    ("a 0x10\n", TEXT_TYPE),
    ("a 1\r\n", TEXT_TYPE),
    ('a{x="1" y="2"} 1\n', TEXT_TYPE),
    ('a{x="1",,} 1\n', TEXT_TYPE),
    ('a{x="1",x="2"} 1\n', TEXT_TYPE),
    ("a 1e400\n", TEXT_TYPE),
    ("a 1", TEXT_TYPE),
    ("", TEXT_TYPE),
    ("a 1\n# EOF\n", OPENMETRICS_TYPE),
    ("a 1\n", OPENMETRICS_TYPE),
    ("a 1\n# EOF\nb 2\n", OPENMETRICS_TYPE),
    ("a  1\n# EOF\n", OPENMETRICS_TYPE),
    ('a_bucket{le="1.0"} 1 # {t="x"} 0.5 1.5\n# EOF', OPENMETRICS_TYPE),
    ('a_bucket{le="1.0"} 1 # {t="x"}\n# EOF', OPENMETRICS_TYPE),
    ("# TYPE a unknown\n# UNIT a_s s\na 1\n# EOF\n", OPENMETRICS_TYPE),
    ("# UNIT a seconds\na 1\n# EOF\n", OPENMETRICS_TYPE),
]


class Pages(BaseHTTPRequestHandler):
    """Serves case n under /n, and counts how often."""

    served: ClassVar[dict[int, int]] = {}

    def do_GET(self) -> None:
        number = int(self.path[1:])
        body, content_type = CASES[number]
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body.encode())
        self.served[number] = self.served.get(number, 0) + 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def pages() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    Pages.served.clear()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def prometheus(tmp_path: Path, pages: int) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    groups = [
        {"targets": [f"127.0.0.1:{pages}"], "labels": _labels(number)}
        for number in range(len(CASES))
    ]
    scrape = {"job_name": "j", "scrape_interval": "1s", "scrape_timeout": "1s"}
    file = tmp_path / "prometheus.yml"
    file.write_text(json.dumps({"scrape_configs": [{**scrape, "static_configs": groups}]}))
    command = [
        str(PROMETHEUS),
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    running = Popen(command, stdout=DEVNULL, stderr=DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def _labels(number: int) -> dict[str, str]:
    return {"__metrics_path__": f"/{number}", "case": str(number)}


def _series(url: str) -> dict[Labels, float]:
    """Wait until every case was scraped twice, then return what is there."""
    clock = SystemClock()
    deadline = clock.monotonic() + 30
    while clock.monotonic() < deadline:
        asyncio.run(clock.sleep(0.2))
        if len(Pages.served) == len(CASES) and min(Pages.served.values()) >= 2:
            query = urllib.parse.urlencode({"query": '{case!=""}'})
            with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return {Labels(row["metric"]): float(row["value"][1]) for row in found}
    pytest.fail("prometheus did not scrape")


@pytest.mark.slow
async def test_same_series(prometheus: str, pages: int) -> None:
    """Each case has the same series with the same values here and there."""
    theirs = await asyncio.to_thread(_series, prometheus)
    config = ScrapeConfig("j")
    groups = [
        TargetGroup((f"127.0.0.1:{pages}",), Labels(_labels(number)))
        for number in range(len(CASES))
    ]
    jobs = targets_of(config, groups).jobs
    ours: dict[Labels, float] = {}
    for job, (body, content_type) in zip(jobs, CASES, strict=True):
        target, recorder = Target(), Recorder()
        target.answer = Fetched(body.encode(), content_type)
        await TargetScraper(job, surroundings(target, recorder, ManualClock())).scrape(1_000)
        (write,) = recorder.writes
        ours |= dict(zip(map(recorder.labels, write.refs.tolist()), write.values, strict=True))
    assert _comparable(ours) == _comparable(theirs)


def _comparable(samples: dict[Labels, float]) -> dict[str, float]:
    """Leave out what depends on the moment, and what a failed scrape counted until it failed."""
    failed = {
        labels.value("case")
        for labels, value in samples.items()
        if labels.name == "up" and not value
    }
    return {
        str(labels): float(value)
        for labels, value in samples.items()
        if labels.name not in ("scrape_duration_seconds", "scrape_series_added")
        and not (labels.name.startswith("scrape_") and labels.value("case") in failed)
    }
