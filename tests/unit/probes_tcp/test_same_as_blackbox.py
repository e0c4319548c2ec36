"""The tcp prober beside blackbox_exporter: the same modules, the same targets, the same samples."""

import asyncio
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.clock import SystemClock
from controlplane.probes.options import Module, QueryResponse, TCPProbe
from controlplane.probes.tcp import probe_tcp
from controlplane.transport.options import TLSConfig
from tests.unit.probes_tcp.servers import Authority, server, tools, values

BLACKBOX = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
pytestmark = pytest.mark.skipif(BLACKBOX is None, reason="blackbox_exporter is not installed")

STEPS: dict[str, tuple[QueryResponse, ...]] = {
    "connect": (),
    "match": (QueryResponse(expect="^220 (.*)$", send="hi ${1}"), QueryResponse(expect="^hi mail")),
    "mismatch": (QueryResponse(expect="^nothing of this"),),
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def exporter(tmp_path: Path, authority: Authority) -> Iterator[str]:
    """Run the exporter with all modules, plain and over TLS; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path / "blackbox.yml"
    file.write_text(json.dumps({"modules": _modules(authority)}))
    command = [str(BLACKBOX), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/-/healthy")
        yield url
    finally:
        running.terminate()
        running.wait()


def _modules(authority: Authority) -> dict[str, Any]:
    modules: dict[str, Any] = {}
    for name, steps in STEPS.items():
        written = [
            {key: getattr(step, key) for key in ("expect", "send") if getattr(step, key)}
            for step in steps
        ]
        for trust in ("plain", "tls", "lax"):
            tls = {"ca_file": str(authority.file), "insecure_skip_verify": trust == "lax"}
            tcp = {"query_response": written, "tls": trust != "plain", "tls_config": tls}
            modules[f"{name}_{trust}"] = {"prober": "tcp", "timeout": "5s", "tcp": tcp}
    return modules


def _wait_for(url: str) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + 20
    while clock.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, OSError):
            asyncio.run(clock.sleep(0.05))
        else:
            return
    pytest.fail("blackbox_exporter did not start")


def _ask(url: str, module: str, target: str) -> dict[str, float]:
    query = urllib.parse.urlencode({"module": module, "target": target})
    with urllib.request.urlopen(f"{url}/probe?{query}", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name.replace("{", "|").replace("}", ""): float(value) for name, value in pairs}


@pytest.mark.parametrize("trust", ["plain", "tls", "lax"])
@pytest.mark.parametrize("name", STEPS)
async def test_same_samples(name: str, trust: str, authority: Authority, exporter: str) -> None:
    """Success, expiry, version, subject and the rest are as blackbox_exporter tells them."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        async with asyncio.timeout(2 if name == "match" else 0.1):
            writer.write(await reader.readline())

    context = None if trust == "plain" else authority.context("localhost", "www.test")
    async with server(talk, context) as port:
        target = f"localhost:{port}"
        theirs = await asyncio.to_thread(_ask, exporter, f"{name}_{trust}", target)
        config = TLSConfig(ca_file=str(authority.file), insecure_skip_verify=trust == "lax")
        options = TCPProbe(tls=trust != "plain", tls_config=config, query_response=STEPS[name])
        outcome = await probe_tcp(tools(), target, Module("tcp", tcp=options), 5.0)
    assert theirs.pop("probe_success") == float(outcome.success)
    told = values(outcome)
    for key, value in theirs.items():
        metric, _, labels = key.partition("|")
        if metric in ("probe_duration_seconds", "probe_dns_lookup_time_seconds"):
            continue
        wanted = {label for label in labels.replace('\\"', '"').split('",') if label}
        (found,) = (mine for mine in told if mine.partition("|")[0] == metric)
        assert told[found] == value, metric
        for label in wanted:
            assert label.replace('="', "=").rstrip('"') in found, metric
